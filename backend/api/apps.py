"""Registers the shared parts of the API with Django; they own one table, the answers kept for Idempotency-Key."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """What all REST endpoints share."""

    name = "backend.api"
    label = "api"
    default_auto_field = "django.db.models.BigAutoField"
