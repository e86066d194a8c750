"""Encrypted secrets for hosts."""
