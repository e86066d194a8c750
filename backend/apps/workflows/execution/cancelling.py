"""Ends what was cancelled: what waits at once, and what runs when its worker has noticed.

Everything here runs inside the caller's transaction, with the execution's row locked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils import timezone

from backend.apps.workflows.execution.events import History
from backend.apps.workflows.execution.noting import note
from backend.apps.workflows.execution.statements import save
from backend.apps.workflows.models import StepExecution, TaskExecution, WorkflowExecution

Task = TaskExecution.Status
Step = StepExecution.Status
OPEN = [Step.PENDING, Step.RUNNING]
CANCELLED = "cancelled"


def cancelled_by(name: str) -> dict[str, Any]:
    """Return what stands as the error of a step or an execution that somebody cancelled."""
    return {"code": CANCELLED, "message": f"Cancelled by {name}.", "retryable": False}


def is_stopping(step: StepExecution) -> bool:
    """Say whether the step is to be cancelled and something of it still runs."""
    return step.status == Step.RUNNING and (step.error or {}).get("code") == CANCELLED


def cancel_steps(
    execution: WorkflowExecution, steps: Iterable[StepExecution], history: History, *, by: str
) -> list[str]:
    """Cancel these pending or running steps. Returns the ids of those in which something still runs."""
    stopping = []
    for step in steps:
        now = timezone.now()
        tasks = TaskExecution.objects.filter(step=step)
        tasks.filter(status=Task.PENDING).update(status=Task.CANCELLED, next_publish_at=None, completed_at=now)
        step.error = cancelled_by(by)
        if tasks.filter(status=Task.RUNNING).update(cancel_requested_at=now):
            save(step, "error")
            note(execution, step)
            stopping.append(step.step_id)
        else:
            end_step(execution, step, history)
    return stopping


def end_step(execution: WorkflowExecution, step: StepExecution, history: History) -> None:
    """End a step, nothing of which runs any more, as cancelled."""
    step.status = Step.CANCELLED
    step.completed_at = timezone.now()
    step.error = step.error or {"code": CANCELLED, "message": "It was cancelled.", "retryable": False}
    save(step, "status", "error", "completed_at")
    history.add("step_cancelled", step_id=step.step_id, reason=step.error["message"])
    note(execution, step)


def end_execution(execution: WorkflowExecution, steps: Iterable[StepExecution], history: History) -> None:
    """End an execution that is to be cancelled, once none of its steps is open."""
    running = [step for step in steps if step.status in OPEN]
    execution.current_step = min(running, key=lambda step: step.position).step_id if running else ""
    if not running:
        execution.status = WorkflowExecution.Status.CANCELLED
        execution.cancel_requested_at = None
        execution.completed_at = timezone.now()
        history.add("execution_cancelled", reason=(execution.error or {}).get("message"))
    save(execution, "status", "state", "error", "current_step", "cancel_requested_at", "completed_at", "updated_at")
