"""Settings of the measured web process: Repomill's, and beside its own addresses the bare view's."""

from backend.config.settings.base import *  # noqa: F403  (a settings module is made of another one so)

ROOT_URLCONF = "benchmarks.rest_urls"
# A measurement lasts longer than a token lives.
SIMPLE_JWT = {**SIMPLE_JWT, "ACCESS_TOKEN_LIFETIME": SIMPLE_JWT["REFRESH_TOKEN_LIFETIME"]}  # noqa: F405
