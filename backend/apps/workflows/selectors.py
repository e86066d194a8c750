"""What reads workflows and their executions."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from backend.apps.workflows.models import ExecutionEvent, StepExecution, TaskExecution, WorkflowExecution
from backend.errors import Conflict, NotFound


def executions() -> QuerySet[WorkflowExecution]:
    """Return all executions, newest first, without their large columns."""
    return WorkflowExecution.objects.select_related("workflow", "version", "user").defer("input_data", "state")


def find_execution(text: str) -> WorkflowExecution:
    """Return the execution whose id is, or begins with, `text`. `last` is the newest.

    Raises NotFound, or Conflict where several ids begin so.
    """
    rows = WorkflowExecution.objects.select_related("workflow", "version", "user")
    if text == "last":
        newest = rows.first()
        if newest is None:
            raise NotFound("There is no execution yet.", hint="Start one: repomill run FILE")
        return newest
    try:
        found = list(rows.filter(pk=UUID(text)))
    except ValueError:
        found = _by_prefix(rows, text)
    if not found:
        raise NotFound(f"There is no execution {text!r}.", hint="See: repomill executions")
    if len(found) > 1:
        raise Conflict(f"Several executions begin with {text!r}.", hint="Give more of the id.")
    return found[0]


def _by_prefix(rows: QuerySet[WorkflowExecution], text: str) -> list[WorkflowExecution]:
    digits = text.replace("-", "").lower()
    if not digits or len(digits) > 32 or set(digits) - set("0123456789abcdef"):
        return []
    # A range, not a LIKE: both databases answer it from the primary key's index.
    low, high = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    return list(rows.filter(pk__gte=low, pk__lte=high)[:2])


def steps_of(execution: WorkflowExecution) -> list[StepExecution]:
    """Return an execution's steps in the definition's order."""
    return list(StepExecution.objects.filter(execution=execution).order_by("position"))


def tasks_of(execution: WorkflowExecution) -> list[TaskExecution]:
    """Return an execution's tasks, by step and link, without their arguments."""
    tasks = TaskExecution.objects.filter(execution=execution).defer("arguments").select_related("step")
    return list(tasks.order_by("step__position", "position"))


def events_after(execution_id: UUID, sequence: int) -> list[ExecutionEvent]:
    """Return the events of an execution that come after `sequence`, in order."""
    return list(ExecutionEvent.objects.filter(execution_id=execution_id, sequence__gt=sequence).order_by("sequence"))
