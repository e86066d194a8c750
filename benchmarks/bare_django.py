"""What `start` measures against: Celery's own worker in an installation's Django, with one task that does nothing."""

from __future__ import annotations

import os

from celery import Celery
from kombu import Queue

from backend.config.environment import load

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings.base")

app = Celery("bare_django", broker=load().redis_url, set_as_current=False)
app.conf.update(task_queues=[Queue("agents")], task_default_queue="agents", worker_hijack_root_logger=False)


@app.task(name="bare.nothing")
def nothing() -> None:
    """Do nothing."""
