"""Registers the `credentials` app with Django."""

from django.apps import AppConfig


class CredentialsConfig(AppConfig):
    """Encrypted secrets for hosts."""

    name = "backend.apps.credentials"
    label = "credentials"
    default_auto_field = "django.db.models.BigAutoField"
