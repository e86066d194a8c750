"""The Celery application. Its only configuration is `celeryconfig.py` at the repository's root."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings.base")

app = Celery("repomill")
app.config_from_object("celeryconfig")
