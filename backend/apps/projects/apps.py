"""Registers the `projects` app with Django."""

from django.apps import AppConfig


class ProjectsConfig(AppConfig):
    """Projects, their workspaces, generations and archives."""

    name = "backend.apps.projects"
    label = "projects"
    default_auto_field = "django.db.models.BigAutoField"
