"""Registers the `exports` app with Django."""

from importlib import import_module

from django.apps import AppConfig


class ExportsConfig(AppConfig):
    """Deliveries of generations."""

    name = "backend.apps.exports"
    label = "exports"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the app's step types."""
        import_module("backend.apps.exports.step_types")
