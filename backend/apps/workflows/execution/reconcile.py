"""Finds work that nobody does, and sends for it.

Two things can be lost: a message (a pending task that nobody claimed in time) and a worker (a running task whose
lease has run out). Both are found by the clock, and both are answered with a new message; but where an execution is
paused its work waits, and where it was cancelled a lost worker ends the task.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.models import F, QuerySet

from backend.apps.workflows.execution.chains import rest_of_chain
from backend.apps.workflows.execution.claim import as_claimed, execution_goes_on
from backend.apps.workflows.execution.events import History
from backend.apps.workflows.execution.reading import lock_execution
from backend.apps.workflows.execution.write_back import stop
from backend.apps.workflows.models import TaskExecution
from backend.apps.workflows.publishing import publish_chain, publish_grace
from backend.failpoints import Failpoint, reached

BATCH = 500
Status = TaskExecution.Status


@dataclass(frozen=True)
class Report:
    """What one round did: messages sent for pending tasks, and tasks taken back from lost workers."""

    republished: int
    taken_back: int


def reconcile(*, now: datetime) -> Report:
    """Do one round. Safe to run at the same time in many places."""
    taken_back = _take_back(now)
    republished = _republish(now)
    return Report(republished=republished, taken_back=taken_back)


def _take_back(now: datetime) -> int:
    expired = TaskExecution.objects.filter(status=Status.RUNNING, lease_expires_at__lt=now)
    taken = 0
    for task in expired.select_related("step").defer("arguments", "step__result")[:BATCH]:
        step_id = task.step.step_id if task.step else ""
        with transaction.atomic():
            execution = lock_execution(task.execution_id)
            mine = TaskExecution.objects.filter(
                pk=task.pk, status=Status.RUNNING, attempt=task.attempt, lease_expires_at__lt=now
            )
            to_stop = mine.exclude(cancel_requested_at=None).exists()
            if not to_stop and not mine.update(
                status=Status.PENDING, lost_worker=True, lease_expires_at=None, next_publish_at=now
            ):
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
    return taken


def _republish(now: datetime) -> int:
    with transaction.atomic():
        due = TaskExecution.objects.filter(status=Status.PENDING, ready=True, next_publish_at__lte=now)
        tasks = list(_locked(due.filter(execution_goes_on())).order_by("next_publish_at")[:BATCH])
        for task in tasks:
            TaskExecution.objects.filter(pk=task.pk).update(
                publish_count=F("publish_count") + 1, next_publish_at=now + publish_grace(task.publish_count + 1)
            )
    if tasks:
        reached(Failpoint.REPUBLISHING)
    return sum(publish_chain(rest_of_chain(task)) for task in tasks)


def _locked(tasks: QuerySet[TaskExecution]) -> QuerySet[TaskExecution]:
    if connection.features.has_select_for_update_skip_locked:
        return tasks.select_for_update(skip_locked=True, of=("self",))
    return tasks
