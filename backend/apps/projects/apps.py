"""Registers the `projects` app with Django."""

from importlib import import_module

from django.apps import AppConfig


class ProjectsConfig(AppConfig):
    """Projects, their workspaces, generations and archives."""

    name = "backend.apps.projects"
    label = "projects"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the app's step types."""
        import_module("backend.apps.projects.step_types")
