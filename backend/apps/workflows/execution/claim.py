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
from django.db import transaction
from django.db.models import Q

from backend.apps.workflows.execution.statements import Columns, as_value, fetch, values
from backend.apps.workflows.models import StepExecution, TaskExecution, WorkflowExecution
from backend.errors import TemporaryFailure

_TASK, _STEP, _EXECUTION = (f'"{model._meta.db_table}"' for model in (TaskExecution, StepExecution, WorkflowExecution))
_COLUMNS = Columns(
    TaskExecution,
    [
        *("id", "key", "method", "arguments", "attempt", "retries", "max_retries", "user", "project_id", "grant"),
        *("execution", "step", "position", "item", "lost_worker", "losses"),
    ],
)
_CLAIM = f"""
    UPDATE {_TASK} SET "status" = 'running', "attempt" = "attempt" + 1,
        "lost_worker" = ("lost_worker" OR "status" = 'running'),
        "losses" = "losses" + CASE "status" WHEN 'running' THEN 1 ELSE 0 END, "worker" = %(worker)s,
        "lease_expires_at" = %(lease_expires_at)s, "started_at" = %(started_at)s,
        "not_before" = NULL, "next_publish_at" = NULL
    WHERE "id" = %(id)s AND "ready" AND "cancel_requested_at" IS NULL
        AND (("status" = 'pending' AND ("not_before" IS NULL OR "not_before" <= %(soon)s))
            OR ("status" = 'running' AND "lease_expires_at" < %(started_at)s))
        AND ("execution_id" IS NULL OR EXISTS (
            SELECT 1 FROM {_EXECUTION} AS e WHERE e."id" = {_TASK}."execution_id"
            AND e."status" = 'running' AND e."paused_at" IS NULL AND e."cancel_requested_at" IS NULL))
    RETURNING {_COLUMNS.text},
        (SELECT s."step_id" FROM {_STEP} AS s WHERE s."id" = {_TASK}."step_id"),
        EXISTS (SELECT 1 FROM {_TASK} AS n WHERE n."step_id" = {_TASK}."step_id" AND n."item" = {_TASK}."item"
            AND n."position" = {_TASK}."position" + 1)
"""  # noqa: S608  (names of tables and columns; values are parameters)

EARLY = timedelta(seconds=1)
"""A message may come this much before `not_before`: clocks differ."""


@dataclass(frozen=True)
class ClaimedTask:
    """A task that is this worker's to do, until its lease runs out.

    took_over: an earlier attempt began and was lost with its worker. losses: how many were, one after the other.
    followed: the chain has another link after this one.
    grant: what the service token was good for that the work was started with, as it is kept; None for a person.
    """

    id: UUID
    key: str
    method: str
    arguments: dict[str, Any]
    attempt: int
    retries: int
    max_retries: int
    started_at: datetime
    user_id: UUID
    project_id: UUID | None
    execution_id: UUID | None
    step_pk: UUID | None
    step_id: str
    position: int
    took_over: bool
    losses: int = 0
    item: int = 0
    followed: bool = False
    grant: dict[str, Any] | None = None


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
    parameters = values(
        TaskExecution, id=task_id, worker=worker[:200], started_at=now, lease_expires_at=now + lease_duration()
    )
    parameters["soon"] = as_value(TaskExecution, "not_before", now + EARLY)
    taken = fetch(_CLAIM, parameters)
    if not taken:
        return _refusal(task_id)
    *columns, step_id, followed = taken[0]
    return as_claimed(_COLUMNS.read(columns), now, step_id=step_id or "", followed=bool(followed))


def _refusal(task_id: UUID) -> NotClaimed:
    status = TaskExecution.objects.filter(pk=task_id).values_list("status", flat=True).first()
    if status is None:
        return NotClaimed(finished=False, why="there is no such task")
    return NotClaimed(finished=status == TaskExecution.Status.COMPLETED, why=f"the task is {status}")


def execution_goes_on() -> Q:
    """Return the condition on a task that its execution, if it has one, lets tasks begin."""
    goes_on = Q(
        execution__status=WorkflowExecution.Status.RUNNING,
        execution__paused_at=None,
        execution__cancel_requested_at=None,
    )
    return Q(execution=None) | goes_on


def as_claimed(task: TaskExecution, started_at: datetime, *, step_id: str, followed: bool = False) -> ClaimedTask:
    """Return the newest attempt of a running task as a value. step_id: of the task's step, empty without one."""
    return ClaimedTask(
        id=task.pk,
        key=task.key,
        method=task.method,
        arguments=task.arguments,
        attempt=task.attempt,
        retries=task.retries,
        max_retries=task.max_retries,
        started_at=started_at,
        user_id=task.user_id,
        project_id=task.project_id,
        execution_id=task.execution_id,
        step_pk=task.step_id,
        step_id=step_id,
        position=task.position,
        item=task.item,
        took_over=task.lost_worker,
        losses=task.losses,
        followed=followed,
        grant=task.grant,
    )


def extend_lease(task_id: UUID, *, attempt: int, now: datetime) -> bool:
    """Extend the lease of a running attempt. False: the attempt has been overtaken and must not write any more."""
    running = TaskExecution.objects.filter(pk=task_id, attempt=attempt, status=TaskExecution.Status.RUNNING)
    return running.update(lease_expires_at=now + lease_duration()) == 1


class Overtaken(TemporaryFailure):
    """The attempt is no longer the task's newest: it changes nothing any more, and what it says is not taken."""


def require_newest(task_id: UUID, *, attempt: int) -> None:
    """Raise Overtaken where another attempt has taken over; none does until the caller's transaction, if any, ends.

    For what a service changes before its outcome is written back.
    """
    running = TaskExecution.objects.filter(pk=task_id, attempt=attempt, status=TaskExecution.Status.RUNNING)
    with transaction.atomic():
        # `no_key`: what refers to the row may be written meanwhile.
        if not running.select_for_update(no_key=True).values_list("pk", flat=True):
            raise Overtaken("The task has been taken over by another worker.")


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
