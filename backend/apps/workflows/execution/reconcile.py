"""Finds work that nobody does, and sends for it.

Two things can be lost: a message (see `lost_messages`) and a worker: a running task whose lease has run out. Both are
answered with a new message; but where an execution is paused its work waits, and where it was cancelled a lost worker
ends the task.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.models import F

from backend.apps.workflows.execution.claim import as_claimed, lease_duration
from backend.apps.workflows.execution.events import History
from backend.apps.workflows.execution.lost_messages import send_again
from backend.apps.workflows.execution.reading import locked, locking
from backend.apps.workflows.execution.statements import fetch
from backend.apps.workflows.execution.write_back import stop
from backend.apps.workflows.models import TaskExecution
from backend.failpoints import Failpoint, reached

BATCH = 500
IDLE_TRANSACTIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user
      AND application_name = current_setting('application_name')
      AND state LIKE 'idle in transaction%%' AND state_change < now() - make_interval(secs => %s)
"""
Status = TaskExecution.Status
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Report:
    """What one round did: messages sent for pending tasks, and tasks taken back from lost workers."""

    republished: int
    taken_back: int


def reconcile(*, now: datetime) -> Report:
    """Do one round. Safe to run at the same time in many places."""
    taken_back = _take_back(now)
    return Report(republished=send_again(now=now), taken_back=taken_back)


def _take_back(now: datetime) -> int:
    expired = TaskExecution.objects.filter(status=Status.RUNNING, lease_expires_at__lt=now)
    taken = 0
    held_up = False
    for task in expired.select_related("step").defer("arguments", "step__result")[:BATCH]:
        step_id = task.step.step_id if task.step else ""
        with transaction.atomic():
            execution = None
            if task.execution_id is not None:
                # To wait for a process that is stopped with the lock would hold up all the others, and soon every
                # worker: each round comes to it once more.
                rows = fetch(*locking(task.execution_id, skip_locked=True))
                if not rows:
                    held_up = True
                    continue
                execution = locked(rows)
            mine = TaskExecution.objects.filter(
                pk=task.pk, status=Status.RUNNING, attempt=task.attempt, lease_expires_at__lt=now
            )
            to_stop = mine.exclude(cancel_requested_at=None).exists()
            back = {"lost_worker": True, "losses": F("losses") + 1, "published_at": None, "next_publish_at": now}
            if not to_stop and not mine.update(status=Status.PENDING, lease_expires_at=None, **back):
                continue
            taken += 1
            if execution is not None:
                history = History(execution.pk)
                history.add(
                    "lease_expired",
                    step_id=step_id,
                    task_id=task.pk,
                    attempt=task.attempt,
                    worker=task.worker,
                )
                history.write()
            if to_stop:
                stop(as_claimed(task, task.started_at or now, step_id=step_id))
        reached(Failpoint.TAKING_BACK)
    if held_up:
        _end_idle_transactions()
    return taken


def _end_idle_transactions() -> None:
    """Have the server end transactions of ours in which nothing has happened for a lease: a stopped process holds them.

    Their connections ask the server to do so by itself, but its clock has been seen not to run in every case. SQLite
    has nobody who could.
    """
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(IDLE_TRANSACTIONS, [lease_duration().total_seconds()])
        ended = len(cursor.fetchall())
    if ended:
        logger.warning("%d transactions were ended in which nothing had happened for a lease", ended)
