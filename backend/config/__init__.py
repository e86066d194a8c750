"""Configuration: environment, Django settings, Celery application, URLs and entry points."""
