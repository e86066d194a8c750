"""Sets Django up for the commands that need it; `repomill --help` does not."""

from __future__ import annotations

import os


def setup_django() -> None:
    """Load the settings and the apps; calling it twice is harmless.

    Raises ConfigurationError when a setting is missing or senseless.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings.base")
    import django

    django.setup()
    _find_web_process()


def _find_web_process() -> None:
    """Take the address of the stack that runs on the data folder, which may have any port, where none is set."""
    from django.conf import settings

    from backend.cli.stack.lock import running_stack

    running = None if os.environ.get("BACKEND_URL") else running_stack(settings.DATA_DIR)
    if running is not None and running.web_url:
        settings.BACKEND_URL = running.web_url.rstrip("/")
