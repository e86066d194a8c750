"""Registers the `authentication` app with Django."""

from django.apps import AppConfig
from django.core.checks import Tags, register


class AuthenticationConfig(AppConfig):
    """Users and the tokens they act with."""

    name = "backend.apps.authentication"
    label = "authentication"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks of this app."""
        from backend.apps.authentication.checks import check_signing_key

        register(check_signing_key, Tags.security)
