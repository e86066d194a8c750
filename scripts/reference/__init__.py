"""Writes docs/reference/ from the code: each page asks what runs, and nothing is kept in two places."""
