"""Registers the `exports` app with Django."""

from django.apps import AppConfig


class ExportsConfig(AppConfig):
    """Deliveries of generations."""

    name = "backend.apps.exports"
    label = "exports"
    default_auto_field = "django.db.models.BigAutoField"
