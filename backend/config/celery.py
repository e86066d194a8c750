"""The Celery application. Its only configuration is `celeryconfig.py` at the repository's root."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings.base")

app = Celery("repomill")
app.config_from_object("celeryconfig")


@beat_init.connect
def send_quietly(sender: Any, **_: Any) -> None:  # noqa: ANN401  (Celery's beat service)
    """Let beat announce nothing: it sends maintenance alone, which Flower has no use for."""
    sender.app.conf.task_send_sent_event = False
