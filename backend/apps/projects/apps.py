"""Registers the `projects` app with Django."""

from importlib import import_module

from django.apps import AppConfig


class ProjectsConfig(AppConfig):
    """Projects, their workspaces, generations and archives."""

    name = "backend.apps.projects"
    label = "projects"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the app's step types, and say to the apps below who may see which project."""
        from backend.apps.authentication.project_access import register_project_access
        from backend.apps.projects.selectors import Roles

        register_project_access(Roles())
        import_module("backend.apps.projects.step_types")
