"""The app that keeps what has been counted."""

from django.apps import AppConfig


class MetricsConfig(AppConfig):
    """Settings of the app."""

    name = "backend.metrics"
    label = "metrics"
    default_auto_field = "django.db.models.BigAutoField"
