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
