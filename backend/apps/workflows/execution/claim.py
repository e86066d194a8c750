"""Claims a task: one conditional UPDATE decides which of many messages and workers does the work.

The claim raises `attempt`, which is the fence: what an attempt writes is taken only while it is the newest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Case, F, Q, Value, When

from backend.apps.authentication.models import User
from backend.apps.workflows.models import TaskExecution, WorkflowExecution

EARLY = timedelta(seconds=1)
"""A message may come this much before `not_before`: clocks differ."""


@dataclass(frozen=True)
class ClaimedTask:
    """A task that is this worker's to do, until its lease runs out.

    took_over: an earlier attempt began and was lost with its worker.
    """

    id: UUID
    key: str
    method: str
    arguments: dict[str, Any]
    attempt: int
    retries: int
    max_retries: int
    started_at: datetime
    user: User
    project_id: UUID | None
    execution_id: UUID | None
    step_pk: UUID | None
    step_id: str
    position: int
    took_over: bool
    item: int = 0


@dataclass(frozen=True)
class NotClaimed:
    """The task is not this worker's to do. finished: it has completed, so that what follows may go on."""

    finished: bool
    why: str


def lease_duration() -> timedelta:
    """Return how long a claimed task may be silent."""
    return timedelta(seconds=settings.ENVIRONMENT.lease_seconds)


def claim(task_id: UUID, *, worker: str, now: datetime) -> ClaimedTask | NotClaimed:
    """Claim a task that is pending, or running with an expired lease; none of a paused or cancelled execution."""
    due = Q(status=TaskExecution.Status.PENDING) & (Q(not_before=None) | Q(not_before__lte=now + EARLY))
    abandoned = Q(status=TaskExecution.Status.RUNNING, lease_expires_at__lt=now)
    taken = (
        TaskExecution.objects.filter(due | abandoned, pk=task_id, ready=True, cancel_requested_at=None)
        .filter(execution_goes_on())
        .update(
            status=TaskExecution.Status.RUNNING,
            attempt=F("attempt") + 1,
            lost_worker=Case(When(status=TaskExecution.Status.RUNNING, then=Value(True)), default=F("lost_worker")),
            worker=worker[:200],
            lease_expires_at=now + lease_duration(),
            started_at=now,
            not_before=None,
            next_publish_at=None,
        )
    )
    task = TaskExecution.objects.select_related("user", "step").filter(pk=task_id).first()
    if task is None:
        return NotClaimed(finished=False, why="there is no such task")
    if not taken:
        finished = task.status == TaskExecution.Status.COMPLETED
        return NotClaimed(finished=finished, why=f"the task is {task.status}")
    return as_claimed(task, now)


def execution_goes_on() -> Q:
    """Return the condition on a task that its execution, if it has one, lets tasks begin."""
    goes_on = Q(
        execution__status=WorkflowExecution.Status.RUNNING,
        execution__paused_at=None,
        execution__cancel_requested_at=None,
    )
    return Q(execution=None) | goes_on


def as_claimed(task: TaskExecution, started_at: datetime) -> ClaimedTask:
    """Return the newest attempt of a running task as a value."""
    return ClaimedTask(
        id=task.pk,
        key=task.key,
        method=task.method,
        arguments=task.arguments,
        attempt=task.attempt,
        retries=task.retries,
        max_retries=task.max_retries,
        started_at=started_at,
        user=task.user,
        project_id=task.project_id,
        execution_id=task.execution_id,
        step_pk=task.step_id,
        step_id=task.step.step_id if task.step else "",
        position=task.position,
        item=task.item,
        took_over=task.lost_worker,
    )


def extend_lease(task_id: UUID, *, attempt: int, now: datetime) -> bool:
    """Extend the lease of a running attempt. False: the attempt has been overtaken and must not write any more."""
    running = TaskExecution.objects.filter(pk=task_id, attempt=attempt, status=TaskExecution.Status.RUNNING)
    return running.update(lease_expires_at=now + lease_duration()) == 1


class Standing(Enum):
    """How a running attempt stands: it is still the newest, it is to stop, or another one has overtaken it."""

    MINE = "mine"
    TO_STOP = "to stop"
    LOST = "lost"


def standing_of(task_id: UUID, *, attempt: int) -> Standing:
    """Return how a running attempt stands."""
    running = TaskExecution.objects.filter(pk=task_id, attempt=attempt, status=TaskExecution.Status.RUNNING)
    asked = running.values_list("cancel_requested_at", flat=True)[:1]
    for requested_at in asked:
        return Standing.MINE if requested_at is None else Standing.TO_STOP
    return Standing.LOST
