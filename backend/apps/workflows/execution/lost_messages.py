"""Sends messages again that were lost, and messages for what has waited until its time came.

A message that nobody answered in time either waits in its queue still or is lost: with a worker that had fetched it and
died, with a sender that died, with the broker. The broker says which (see `waiting`). So one that waits is not sent
twice, however long the queue is, and one that is lost is sent again as soon for the fifth time as for the first.
"""

from __future__ import annotations

import time
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
from backend.apps.workflows.execution.waiting import still_waiting
from backend.apps.workflows.models import TaskExecution
from backend.apps.workflows.publishing import fronts, publish_chain, sending
from backend.failpoints import Failpoint, reached

BATCH = 500
SENDING = timedelta(seconds=5)
"""How long a round may take to send what it has taken. What is not sent by then, another round sends."""
LONGEST_ROUND = 4.0
"""Seconds after which a round takes no further batch."""
Status = TaskExecution.Status


def send_again(*, now: datetime) -> int:
    """Send a message for each pending task that is due and has none that waits. Returns how many were sent."""
    due = TaskExecution.objects.filter(status=Status.PENDING, ready=True, next_publish_at__lte=now)
    methods = set(due.order_by().values_list("method", flat=True).distinct())
    seen = fronts() if methods else None
    if seen is None:
        # A broker that does not answer would refuse what is sent; all of it stays due.
        return 0
    # What waits in its queue stays due, and costs the others neither a place in a batch nor a write.
    lost = due.filter(execution_goes_on()).exclude(still_waiting(methods, seen, now=now))
    sent, began = 0, time.monotonic()
    while time.monotonic() - began < LONGEST_ROUND:
        tasks, held_up, whole = _take(lost, now)
        for task in tasks:
            if not publish_chain(rest_of_chain(task)):
                # The others would fare no better, and each would wait for the broker in vain.
                return sent
            sent += 1
            # Unless it has been claimed meanwhile, the message is given time to be answered.
            unanswered = TaskExecution.objects.filter(pk=task.pk, status=Status.PENDING, next_publish_at=now + SENDING)
            unanswered.update(**sending(now))
        if not whole:
            break
        lost = lost.exclude(execution_id__in=held_up)
    return sent


def expect_no_answers(*, now: datetime) -> int:
    """Have everything sent again that waits for a message, because the broker has lost them all.

    What is due is sent by the next round, and what waits for a later time when that has come.
    Returns how many tasks those are.
    """
    pending = TaskExecution.objects.filter(status=Status.PENDING, ready=True)
    due = pending.filter(Q(not_before=None) | Q(not_before__lte=now), next_publish_at__gt=now)
    later = pending.filter(not_before__gt=now, next_publish_at__gt=F("not_before"))
    return due.update(next_publish_at=now) + later.update(next_publish_at=F("not_before"))


def _take(lost: QuerySet[TaskExecution], now: datetime) -> tuple[list[TaskExecution], set[UUID], bool]:
    """Reserve a batch for this round. Returns it, which executions were locked, and whether there may be more."""
    with transaction.atomic():
        # First what has no message at all.
        order = (F("published_at").asc(nulls_first=True), F("next_publish_at").asc())
        found = list(_locked(lost).order_by(*order)[:BATCH])
        tasks = _explained(found)
        TaskExecution.objects.filter(pk__in=[task.pk for task in tasks]).update(next_publish_at=now + SENDING)
        if tasks:
            reached(Failpoint.REPUBLISHING)
    taken = {task.pk for task in tasks}
    held_up = {task.execution_id for task in found if task.pk not in taken and task.execution_id is not None}
    return tasks, held_up, len(found) == BATCH


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
