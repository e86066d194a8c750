"""Repomill's Django project: state of record, REST API and command line."""
