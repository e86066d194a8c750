"""Registers the `agents` app with Django."""

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    """What agents do over HTTP."""

    name = "backend.apps.agents"
    label = "agents"
    default_auto_field = "django.db.models.BigAutoField"
