"""Registers the console with Django. It has no tables."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """Pages for people."""

    name = "backend.console"
    label = "console"
