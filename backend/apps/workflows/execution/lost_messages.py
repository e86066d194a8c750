"""Sends messages again that were lost, and messages for what has waited until its time came.

A message that nobody answered in time either waits in its queue still or is lost: with a worker that had fetched it and
died, with a sender that died, with the broker. The broker says which: it serves a queue in order, so that what was sent
before the oldest message that waits is not in the queue any more. So one that waits is not sent twice, however long the
queue is, and one that is lost is sent again as soon for the fifth time as for the first.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet

from backend.apps.workflows.execution.chains import rest_of_chain
from backend.apps.workflows.execution.claim import execution_goes_on
from backend.apps.workflows.execution.events import History
from backend.apps.workflows.execution.reading import locking
from backend.apps.workflows.execution.statements import fetch
from backend.apps.workflows.models import TaskExecution
from backend.apps.workflows.publishing import PATIENCE, oldest_waiting, publish_chain, queue_of, sending
from backend.failpoints import Failpoint, reached

BATCH = 500
SENDING = timedelta(seconds=5)
"""How long a round may take to send what it has taken. What is not sent by then, another round sends."""
Status = TaskExecution.Status


def send_again(*, now: datetime) -> int:
    """Send a message for each pending task that is due and has none that waits. Returns how many were sent."""
    due = TaskExecution.objects.filter(status=Status.PENDING, ready=True, next_publish_at__lte=now)
    heads = _heads() if due.exists() else None
    if heads is None:
        # A broker that does not answer would refuse what is sent; all of it stays due.
        return 0
    with transaction.atomic():
        # First what has no message at all: it does not stand behind a long queue of those that are only asked for.
        order = (F("published_at").asc(nulls_first=True), F("next_publish_at").asc())
        found = list(_locked(due.filter(execution_goes_on())).order_by(*order)[:BATCH])
        waiting = {task.pk for task in found if _waits(task, heads)}
        TaskExecution.objects.filter(pk__in=waiting).update(next_publish_at=now + PATIENCE)
        tasks = _explained([task for task in found if task.pk not in waiting])
        TaskExecution.objects.filter(pk__in=[task.pk for task in tasks]).update(next_publish_at=now + SENDING)
        if tasks:
            reached(Failpoint.REPUBLISHING)
    sent = 0
    for task in tasks:
        if not publish_chain(rest_of_chain(task)):
            # The others would fare no better, and each would wait for the broker in vain.
            break
        sent += 1
        # Unless it has been claimed meanwhile, the message is given time to be answered.
        unanswered = TaskExecution.objects.filter(pk=task.pk, status=Status.PENDING, next_publish_at=now + SENDING)
        unanswered.update(**sending(now))
    return sent


def expect_no_answers(*, now: datetime) -> int:
    """Have the next round send everything again that waits for a message: the broker has lost them all.

    Returns how many tasks those are. What waits for a later time goes on waiting for it.
    """
    due = Q(not_before=None) | Q(not_before__lte=now)
    waiting = TaskExecution.objects.filter(due, status=Status.PENDING, ready=True, next_publish_at__gt=now)
    return waiting.update(next_publish_at=now)


def _heads() -> dict[str, datetime | None] | None:
    """Return for each queue in which something waits when the oldest of it was sent; None: not a task's message."""
    oldest = oldest_waiting()
    if oldest is None:
        return None
    rows = TaskExecution.objects.filter(pk__in=[task for task in oldest.values() if _is_id(task)])
    sent = {str(pk): at for pk, at in rows.values_list("pk", "published_at")}
    return {queue: sent.get(task) for queue, task in oldest.items()}


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _waits(task: TaskExecution, heads: dict[str, datetime | None]) -> bool:
    """Say whether a message for the task is out and may be in its queue still."""
    queue = queue_of(task.method)
    if task.published_at is None or queue not in heads:
        return False
    head = heads[queue]
    return head is None or head <= task.published_at


def _explained(tasks: Iterable[TaskExecution]) -> list[TaskExecution]:
    """Write into the histories which messages were lost. Returns the tasks without those of a locked execution.

    Those come with the next round: to wait for a process that is stopped with the lock would hold up all the others.
    """
    # The sort leaves those of one execution in their order.
    by_execution = sorted(tasks, key=lambda task: str(task.execution_id))
    free: list[TaskExecution] = []
    for execution_id, group in groupby(by_execution, key=lambda task: task.execution_id):
        mine = list(group)
        lost = [task for task in mine if task.published_at is not None]
        if execution_id is not None and lost:
            if not fetch(*locking(execution_id, skip_locked=True)):
                continue
            _write_history(execution_id, lost)
        TaskExecution.objects.filter(pk__in=[task.pk for task in lost]).update(publish_count=F("publish_count") + 1)
        free += mine
    return free


def _write_history(execution_id: UUID, lost: list[TaskExecution]) -> None:
    history = History(execution_id)
    for task in lost:
        history.add(
            "message_lost",
            step_id=task.step.step_id if task.step else "",
            task_id=task.pk,
            method=task.method,
            times=task.publish_count + 1,
        )
    history.write()


def _locked(tasks: QuerySet[TaskExecution]) -> QuerySet[TaskExecution]:
    tasks = tasks.select_related("step").defer("arguments", "result", "step__result")
    if connection.features.has_select_for_update_skip_locked:
        return tasks.select_for_update(skip_locked=True, of=("self",))
    return tasks
