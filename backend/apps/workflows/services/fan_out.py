"""Many tasks of one method that belong to no execution: recorded by one statement, withdrawn and taken up again.

How many are in flight at once is the caller's business. Everything happens inside the caller's transaction; messages
leave after its commit.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from backend.apps.workflows.execution.chains import send
from backend.apps.workflows.execution.reopening import ANEW
from backend.apps.workflows.execution.statements import insert
from backend.apps.workflows.former_names import current_name
from backend.apps.workflows.methods import check_call
from backend.apps.workflows.models import TaskExecution
from backend.apps.workflows.publishing import sending

Status = TaskExecution.Status


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of the method. key: names the work for ever, as in `enqueue_method`.

    sent: whether it has a message of its own. One that has none is done by whoever gets another's message (see
    `execution.together`); where that is lost, it gets one as if its own had been.
    """

    key: str
    arguments: dict[str, Any]
    project_id: UUID | None
    project_name: str
    sent: bool = True


def enqueue_calls(
    *,
    method: str,
    user_id: Any,  # noqa: ANN401
    calls: Sequence[Call],
    grant: dict[str, Any] | None = None,
    max_retries: int = 10,
) -> list[TaskExecution]:
    """Record a TaskExecution for each call, and send them to the workers.

    grant: what the token was good for that the whole was started with, as a task keeps it; None for a person.

    Raises InvalidInput as `enqueue_method` does.
    """
    method = current_name(method)
    for call in calls[:1]:
        check_call(method, call.arguments)
    out = sending(timezone.now())
    tasks = [
        TaskExecution(
            key=call.key,
            method=method,
            arguments=call.arguments,
            user_id=user_id,
            project_id=call.project_id,
            grant=grant,
            description=f"{call.project_name} · {method}"[:300],
            max_retries=max_retries,
            ready=True,
            **out,
        )
        for call in calls
    ]
    insert(tasks)
    for task, call in zip(tasks, calls, strict=True):
        if call.sent:
            send([task])
    return tasks


def take_up_again(task_ids: Collection[UUID]) -> None:
    """Do tasks once more that have failed or were cancelled; their keys stay, and what they did is not repeated."""
    ended = TaskExecution.objects.filter(pk__in=task_ids, status__in=[Status.FAILED, Status.CANCELLED])
    tasks = list(ended.defer("arguments"))
    TaskExecution.objects.filter(pk__in=[task.pk for task in tasks]).update(
        **{**ANEW, "ready": True, **sending(timezone.now())}
    )
    for task in tasks:
        send([task])


def withdraw(task_ids: Collection[UUID], *, now: datetime) -> None:
    """End those of the tasks as cancelled that nobody has begun."""
    waiting = TaskExecution.objects.filter(pk__in=task_ids, status=Status.PENDING)
    waiting.update(status=Status.CANCELLED, published_at=None, next_publish_at=None, not_before=None, completed_at=now)


def stop(task_ids: Collection[UUID], *, now: datetime) -> None:
    """Cancel the tasks: those that wait at once, those that run within seconds."""
    withdraw(task_ids, now=now)
    TaskExecution.objects.filter(pk__in=task_ids, status=Status.RUNNING).update(cancel_requested_at=now)
