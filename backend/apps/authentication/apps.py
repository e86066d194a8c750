"""Registers the `authentication` app with Django."""

from django.apps import AppConfig


class AuthenticationConfig(AppConfig):
    """Users and the tokens they act with."""

    name = "backend.apps.authentication"
    label = "authentication"
    default_auto_field = "django.db.models.BigAutoField"
