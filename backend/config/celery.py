"""The Celery application. Its only configuration is `celeryconfig.py` at the repository's root."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, task_prerun, worker_init
from django.db import close_old_connections, connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings.base")
# Django's checks import the whole API and all pages, which no worker needs: a second of its start, and memory for good.
# `repomill migrate`, `repomill up` and the test command run them.
os.environ.setdefault("CELERY_SKIP_CHECKS", "true")

app = Celery("repomill")
app.config_from_object("celeryconfig")


@beat_init.connect
def send_quietly(sender: Any, **_: Any) -> None:  # noqa: ANN401  (Celery's beat service)
    """Let beat announce nothing: it sends maintenance alone, which Flower has no use for."""
    sender.app.conf.task_send_sent_event = False


@worker_init.connect
def keep_connections(**_: Any) -> None:  # noqa: ANN401  (what the signal sends)
    """Let each pool process keep its database connection from one task to the next; the web closes its own."""
    for settings in connections.settings.values():
        settings["CONN_MAX_AGE"] = None


@task_prerun.connect
def drop_failed_connections(**_: Any) -> None:  # noqa: ANN401  (what the signal sends)
    """Close a connection that has failed, so that the next task gets a new one."""
    close_old_connections()
