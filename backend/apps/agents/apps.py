"""Registers the `agents` app with Django."""

from importlib import import_module

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    """What agents do over HTTP."""

    name = "backend.apps.agents"
    label = "agents"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the app's step types."""
        import_module("backend.apps.agents.step_types")
