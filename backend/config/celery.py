"""The Celery application. Its only configuration is `celeryconfig.py` at the repository's root."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, task_prerun, worker_before_create_process, worker_init
from django.db import close_old_connections, connections

from backend.config.broker_loss import survive_broker_loss
from backend.config.pool_processes import end_with_their_worker, share_memory

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


@worker_init.connect
def prepare_pool_processes(**_: Any) -> None:  # noqa: ANN401  (what the signal sends)
    """Let pool processes end with their worker."""
    end_with_their_worker()


@worker_before_create_process.connect
def prepare_a_pool_process(**_: Any) -> None:  # noqa: ANN401  (what the signal sends)
    """Let the next pool process share what is loaded."""
    share_memory()


@task_prerun.connect
def drop_failed_connections(**_: Any) -> None:  # noqa: ANN401  (what the signal sends)
    """Close a connection that has failed, so that the next task gets a new one."""
    close_old_connections()
