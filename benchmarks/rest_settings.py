"""Settings of the measured web process: Repomill's, and beside its own addresses the bare view's."""

from backend.config.settings.base import *  # noqa: F403  (a settings module is made of another one so)

ROOT_URLCONF = "benchmarks.rest_urls"
