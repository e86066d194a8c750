"""Registers the `workflows` app with Django."""

from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    """Definitions, executions, and the execution of them."""

    name = "backend.apps.workflows"
    label = "workflows"
    default_auto_field = "django.db.models.BigAutoField"
