"""Writes an attempt's outcome back: task, step, execution, history and what comes next, in one transaction.

Every function takes the claimed attempt and returns False, having changed nothing, when that attempt has been
overtaken: a zombie cannot overwrite. Locks are taken in one order, the execution's row first.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from backend.apps.workflows.decisions.retry import Again
from backend.apps.workflows.execution.advance import advance, finish_step, lock_execution
from backend.apps.workflows.execution.claim import ClaimedTask
from backend.apps.workflows.execution.events import History
from backend.apps.workflows.models import TaskExecution
from backend.apps.workflows.publishing import publish_grace
from backend.errors import InDoubt, RepomillError

Status = TaskExecution.Status


def complete(claimed: ClaimedTask, result: Any) -> bool:  # noqa: ANN401  (JSON)
    """Write a result back, and make the next link or the next steps ready."""
    with transaction.atomic():
        execution = lock_execution(claimed.execution_id)
        now = timezone.now()
        if not _update(claimed, status=Status.COMPLETED, result=result, error=None, completed_at=now):
            return False
        if execution is None or claimed.step_pk is None:
            return True
        history = History(execution.pk)
        history.add("task_completed", **_about(claimed, now))
        grace = publish_grace(0)
        # The message for the next link is the chain's own; the reconciler sends one only if that one is lost.
        following = TaskExecution.objects.filter(
            step_id=claimed.step_pk, position=claimed.position + 1, status=Status.PENDING
        ).update(ready=True, next_publish_at=now + grace)
        if not following:
            finish_step(execution, claimed.step_pk, history)
            advance(execution, history)
        history.write()
    return True


def try_again(claimed: ClaimedTask, error: RepomillError, again: Again) -> bool:
    """Put the task back to pending until its pause is over."""
    with transaction.atomic():
        execution = lock_execution(claimed.execution_id)
        now = timezone.now()
        due = now + timedelta(seconds=again.seconds)
        # A parked task has no message; the others have theirs in the broker, and a while to spare.
        spare = timedelta(0) if again.parked else publish_grace(0)
        updated = _update(
            claimed,
            status=Status.PENDING,
            error=error.as_json(),
            retries=claimed.retries + again.counted,
            not_before=due,
            next_publish_at=due + spare,
        )
        if updated and execution is not None:
            history = History(execution.pk)
            history.add(
                "task_waits",
                **_about(claimed, now),
                error=error.as_json(),
                seconds=round(again.seconds, 1),
                until=due.isoformat(),
            )
            history.write()
    return updated


def fail(claimed: ClaimedTask, error: RepomillError, *, why: str) -> bool:
    """End the task as failed, or as in_doubt, and its step with it."""
    status = Status.IN_DOUBT if isinstance(error, InDoubt) else Status.FAILED
    with transaction.atomic():
        execution = lock_execution(claimed.execution_id)
        now = timezone.now()
        if not _update(claimed, status=status, error=error.as_json(), completed_at=now):
            return False
        if execution is None or claimed.step_pk is None:
            return True
        history = History(execution.pk)
        history.add("task_failed", **_about(claimed, now), error=error.as_json(), why=why)
        finish_step(execution, claimed.step_pk, history, error=error.as_json())
        advance(execution, history)
        history.write()
    return True


def _update(claimed: ClaimedTask, **changes: Any) -> bool:  # noqa: ANN401
    mine = TaskExecution.objects.filter(pk=claimed.id, status=Status.RUNNING, attempt=claimed.attempt)
    return mine.update(lease_expires_at=None, **changes) == 1


def _about(claimed: ClaimedTask, now: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "step_id": claimed.step_id,
        "task_id": claimed.id,
        "method": claimed.method,
        "attempt": claimed.attempt,
        "took_over": claimed.took_over,
        "duration": round((now - claimed.started_at).total_seconds(), 3),
    }
