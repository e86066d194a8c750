"""Takes up again what had ended or was held back; what has completed by then stays.

Everything here runs inside the caller's transaction, with the execution's row locked. Messages leave after the commit.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django.db.models import Q
from django.utils import timezone

from backend.apps.workflows.decisions.control import Reopening
from backend.apps.workflows.execution.advance import finish_step
from backend.apps.workflows.execution.chains import rest_of_chain, send
from backend.apps.workflows.execution.events import History
from backend.apps.workflows.execution.noting import forget, note
from backend.apps.workflows.execution.reading import definition_of
from backend.apps.workflows.models import StepExecution, TaskExecution, WorkflowExecution
from backend.apps.workflows.publishing import sending

Task = TaskExecution.Status
Step = StepExecution.Status

ANEW: dict[str, Any] = {
    "status": Task.PENDING,
    "retries": 0,
    "ready": False,
    "not_before": None,
    "published_at": None,
    "next_publish_at": None,
    "publish_count": 0,
    "lost_worker": False,
    "losses": 0,
    "cancel_requested_at": None,
    "error": None,
    "completed_at": None,
}
"""A task that is to be done once more. Its attempts go on counting: they are the fence against those of before."""


def reopen(execution: WorkflowExecution, reopening: Reopening, history: History) -> None:
    """Reopen steps, and with them an execution that had failed. The caller advances it afterwards."""
    rows = {row.step_id: row for row in StepExecution.objects.filter(execution=execution)}
    for step_id in reopening.reopen:
        _reopen_step(execution, rows[step_id], history)
    for step_id in reopening.unblock:
        _reset(execution, rows[step_id])
    if execution.status == WorkflowExecution.Status.FAILED:
        execution.status = WorkflowExecution.Status.RUNNING
        execution.retry_count += 1
        execution.error = None
        execution.completed_at = None
    execution.save(update_fields=["status", "retry_count", "error", "completed_at", "state", "updated_at"])


def _reopen_step(execution: WorkflowExecution, row: StepExecution, history: History) -> None:
    tasks = TaskExecution.objects.filter(step=row)
    if not tasks.exists():
        # It failed, or was cancelled, before it had any: it starts in the ordinary way.
        _reset(execution, row)
        return
    tasks.exclude(status=Task.COMPLETED).update(**ANEW)
    row.status = Step.RUNNING
    row.error = row.result = row.completed_at = None
    row.started_at = timezone.now()
    row.save(update_fields=["status", "error", "result", "completed_at", "started_at"])
    if not tasks.exclude(status=Task.COMPLETED).exists():
        # Only what is made of their results had failed; no message would come that ends it.
        finish_step(execution, row, history)
        return
    note(execution, row)
    _make_ready(row, at_once=definition_of(execution.version_id).step(row.step_id).max_parallel)


def _make_ready(row: StepExecution, *, at_once: int) -> None:
    """Send the unfinished chains: those that had begun, and others up to the number that may be in flight at once."""
    waiting = TaskExecution.objects.filter(step=row, status=Task.PENDING).order_by("item", "position")
    first_links = [next(links) for _, links in groupby(waiting.defer("arguments"), key=lambda task: task.item)]
    # One that had not begun is found by its first link when its turn comes; one that had would wait for ever.
    begun = [task for task in first_links if task.position]
    fresh = [task for task in first_links if not task.position]
    _send_now([*begun, *fresh[: max(0, at_once - len(begun))]])


def _reset(execution: WorkflowExecution, row: StepExecution) -> None:
    row.status = Step.PENDING
    row.error = row.result = row.completed_at = row.started_at = None
    row.save(update_fields=["status", "error", "result", "completed_at", "started_at"])
    forget(execution, row)


def send_waiting(execution: WorkflowExecution) -> None:
    """Send what became ready, or had its message refused, while the execution was paused; a longer wait goes on."""
    due = Q(not_before=None) | Q(not_before__lte=timezone.now())
    ready = TaskExecution.objects.filter(due, execution=execution, status=Task.PENDING, ready=True)
    _send_now(list(ready.defer("arguments")))


def send_again(task: TaskExecution) -> None:
    """Do a task once more that belongs to no execution."""
    TaskExecution.objects.filter(pk=task.pk).update(**ANEW)
    _send_now([task])


def _send_now(tasks: list[TaskExecution]) -> None:
    TaskExecution.objects.filter(pk__in=[task.pk for task in tasks]).update(ready=True, **sending(timezone.now()))
    for task in tasks:
        send(rest_of_chain(task))
