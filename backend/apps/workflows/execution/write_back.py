"""Writes an attempt's outcome back: task, step, execution, history and what comes next, in one transaction.

Every function takes the claimed attempt and returns False, having changed nothing, when that attempt has been
overtaken: a zombie cannot overwrite. An attempt that was asked to stop has its outcome written all the same, and
nothing follows from it. Locks are taken in one order, the execution's row first.
"""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from backend.apps.workflows.decisions.retry import Again
from backend.apps.workflows.execution import cancelling, items
from backend.apps.workflows.execution.advance import advance, finish_step
from backend.apps.workflows.execution.claim import ClaimedTask
from backend.apps.workflows.execution.completion import complete_and_read, completing
from backend.apps.workflows.execution.events import History
from backend.apps.workflows.execution.reading import definition_of, lock_execution, read_steps
from backend.apps.workflows.execution.statements import fetch, one_journey
from backend.apps.workflows.models import StepExecution, TaskExecution, WorkflowExecution
from backend.apps.workflows.publishing import sending
from backend.errors import InDoubt, RepomillError
from backend.failpoints import Failpoint, reached

Status = TaskExecution.Status
STOPPED = {
    "code": cancelling.CANCELLED,
    "message": "It was stopped while it worked; what it had begun by then may be there.",
    "retryable": False,
}


class Written(Enum):
    """What became of an outcome. It is true where the outcome was written."""

    OVERTAKEN = "overtaken"
    ORDINARY = "ordinary"
    STOPPING = "stopping"

    def __bool__(self) -> bool:
        return self is not Written.OVERTAKEN


def complete(claimed: ClaimedTask, result: Any) -> bool:  # noqa: ANN401  (JSON)
    """Write a result back, and make the next link or the next steps ready."""
    with transaction.atomic():
        now = timezone.now()
        if claimed.execution_id is None or claimed.step_pk is None:
            return bool(_written(claimed, fetch(*completing(claimed, result, now))))
        read = complete_and_read(claimed, result, now)
        written = _written(claimed, read.completed)
        if not written:
            return False
        history = History(read.execution.pk)
        history.add("task_completed", **_about(read.execution, claimed, now))
        if written is Written.ORDINARY and read.following:
            history.write()
            reached(Failpoint.WRITING_BACK)
            return True
        with one_journey():
            if written is Written.STOPPING:
                _end_stopping(read.execution, claimed, history)
            else:
                _end_chain(read.execution, claimed, history, steps=read.steps, links=read.links)
            history.write()
        reached(Failpoint.WRITING_BACK)
    return True


def has_completed(claimed: ClaimedTask) -> bool:
    """Say whether this very attempt has been written back as completed: the answer to its commit may have been lost."""
    done = TaskExecution.objects.filter(pk=claimed.id, status=Status.COMPLETED, attempt=claimed.attempt)
    return done.exists()


def try_again(claimed: ClaimedTask, error: RepomillError, again: Again) -> bool:
    """Put the task back to pending until its pause is over; one that was asked to stop ends as cancelled."""
    with transaction.atomic():
        execution = lock_execution(claimed.execution_id)
        now = timezone.now()
        if _mine(claimed).exclude(cancel_requested_at=None).exists():
            return _stop(claimed, execution, error.as_json())
        due = now + timedelta(seconds=again.seconds)
        # A parked task has no message; the others have theirs in the broker, and a while to spare.
        message = {"published_at": None, "next_publish_at": due} if again.parked else sending(now, due=due)
        updated = _update(
            claimed,
            status=Status.PENDING,
            error=error.as_json(),
            retries=claimed.retries + again.counted,
            not_before=due,
            **message,
            lost_worker=False,
            losses=0,
        )
        if updated and execution is not None:
            history = History(execution.pk)
            history.add(
                "task_waits",
                **_about(execution, claimed, now),
                error=error.as_json(),
                seconds=round(again.seconds, 1),
                until=due.isoformat(),
            )
            history.write()
    return bool(updated)


def stop(claimed: ClaimedTask) -> bool:
    """End the task, which was asked to stop and did, as cancelled."""
    with transaction.atomic():
        return _stop(claimed, lock_execution(claimed.execution_id), STOPPED)


def fail(claimed: ClaimedTask, error: RepomillError, *, why: str) -> bool:
    """End the task as failed, or as in_doubt, and its step with it."""
    status = Status.IN_DOUBT if isinstance(error, InDoubt) else Status.FAILED
    with transaction.atomic():
        execution = lock_execution(claimed.execution_id)
        now = timezone.now()
        written = _update(claimed, status=status, error=error.as_json(), completed_at=now)
        if not written:
            return False
        if execution is None or claimed.step_pk is None:
            return True
        history = History(execution.pk)
        history.add("task_failed", **_about(execution, claimed, now), error=error.as_json(), why=why)
        end = _end_stopping if written is Written.STOPPING else _end_chain
        end(execution, claimed, history, error=error.as_json())
        history.write()
    return True


def _end_chain(
    execution: WorkflowExecution,
    claimed: ClaimedTask,
    history: History,
    *,
    error: dict[str, Any] | None = None,
    steps: dict[str, StepExecution] | None = None,
    links: list[tuple[Any, ...]] | None = None,
) -> None:
    """End the step and go on; a step that is repeated for a list ends with its last item."""
    if claimed.step_pk is None:
        return
    step = definition_of(execution.version_id).step(claimed.step_id)
    if step.each is not None:
        if not items.after_item(step, claimed.step_pk, item=claimed.item, failed=error is not None):
            return
        # The last item's links are not the step's.
        error, links = items.error_of(claimed.step_pk), None
    rows = read_steps(execution) if steps is None else steps
    finish_step(execution, rows[claimed.step_id], history, error=error, links=links)
    advance(execution, history, rows)


def _stop(claimed: ClaimedTask, execution: WorkflowExecution | None, error: dict[str, Any]) -> bool:
    now = timezone.now()
    if not _update(claimed, status=Status.CANCELLED, error=error, completed_at=now):
        return False
    if execution is not None:
        history = History(execution.pk)
        history.add("task_cancelled", **_about(execution, claimed, now))
        _end_stopping(execution, claimed, history)
        history.write()
    return True


def _end_stopping(
    execution: WorkflowExecution, claimed: ClaimedTask, history: History, *, error: dict[str, Any] | None = None
) -> None:
    """End a step that is to be cancelled, and go on, once nothing of it runs any more.

    It ends as what became of it: failed, or completed where that was its last link, and cancelled only otherwise.
    """
    tasks = TaskExecution.objects.filter(step_id=claimed.step_pk)
    if not tasks.filter(status=Status.RUNNING).exists():
        step = StepExecution.objects.get(tasks=claimed.id)
        error = error or items.error_of(step.pk)
        if error is None and tasks.filter(status=Status.CANCELLED).exists():
            cancelling.end_step(execution, step, history)
        else:
            finish_step(execution, step, history, error=error)
    advance(execution, history)


def _written(claimed: ClaimedTask, completed: list[tuple[Any, ...]]) -> Written:
    """Say what became of a completion; one that was asked to stop is not asked any more."""
    if not completed:
        return Written.OVERTAKEN
    if completed[0][0] is None:
        return Written.ORDINARY
    TaskExecution.objects.filter(pk=claimed.id).update(cancel_requested_at=None)
    return Written.STOPPING


def _update(claimed: ClaimedTask, **changes: Any) -> Written:  # noqa: ANN401
    changes |= {"lease_expires_at": None, "cancel_requested_at": None}
    if _mine(claimed).filter(cancel_requested_at=None).update(**changes):
        return Written.ORDINARY
    return Written.STOPPING if _mine(claimed).update(**changes) else Written.OVERTAKEN


def _mine(claimed: ClaimedTask) -> QuerySet[TaskExecution]:
    return TaskExecution.objects.filter(pk=claimed.id, status=Status.RUNNING, attempt=claimed.attempt)


def _about(execution: WorkflowExecution, claimed: ClaimedTask, now: Any) -> dict[str, Any]:  # noqa: ANN401
    repeated = definition_of(execution.version_id).step(claimed.step_id).each is not None
    return {
        "item": claimed.item if repeated else None,
        "step_id": claimed.step_id,
        "task_id": claimed.id,
        "method": claimed.method,
        "attempt": claimed.attempt,
        "took_over": claimed.took_over,
        "duration": round((now - claimed.started_at).total_seconds(), 3),
    }
