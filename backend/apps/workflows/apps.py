"""Registers the `workflows` app with Django."""

from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    """Definitions, executions, and the execution of them."""

    name = "backend.apps.workflows"
    label = "workflows"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make the step types of other packages known."""
        from backend.apps.workflows.step_types import register_installed

        register_installed()
