"""The Celery application. Its only configuration is `celeryconfig.py` at the repository's root."""

from __future__ import annotations

import ctypes
import gc
import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, task_prerun, worker_before_create_process, worker_init
from django.db import close_old_connections, connections

from backend.config.broker_loss import survive_broker_loss

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings.base")
# Celery would run Django's checks in every worker and forget what they say; they load the whole web.
os.environ.setdefault("CELERY_SKIP_CHECKS", "true")

app = Celery("repomill")
app.config_from_object("celeryconfig")


@beat_init.connect
def send_quietly(sender: Any, **_: Any) -> None:  # noqa: ANN401  (Celery's beat service)
    """Let beat announce nothing: it sends maintenance alone, which Flower has no use for."""
    sender.app.conf.task_send_sent_event = False


@worker_init.connect
def keep_running(**_: Any) -> None:  # noqa: ANN401  (what the signal sends)
    """Let the worker live on when its broker does not."""
    survive_broker_loss()


@worker_init.connect
def keep_connections(**_: Any) -> None:  # noqa: ANN401  (what the signal sends)
    """Let each pool process keep its database connection from one task to the next; the web closes its own."""
    for settings in connections.settings.values():
        settings["CONN_MAX_AGE"] = None


@worker_before_create_process.connect
def share_memory(**_: Any) -> None:  # noqa: ANN401  (what the signal sends)
    """Let a pool process share what is loaded: the collector's marks would copy every page of it."""
    gc.collect()
    # What loading freed goes back to the system first; an allocator that is not glibc's does as it likes.
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
    gc.freeze()


@task_prerun.connect
def drop_failed_connections(**_: Any) -> None:  # noqa: ANN401  (what the signal sends)
    """Close a connection that has failed, so that the next task gets a new one."""
    close_old_connections()
