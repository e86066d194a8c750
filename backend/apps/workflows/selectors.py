"""What reads workflows and their executions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Count, Model, Q, QuerySet

from backend.apps.workflows.decisions.control import standing
from backend.apps.workflows.models import ExecutionEvent, StepExecution, TaskExecution, WorkflowExecution
from backend.errors import Conflict, NotFound

Row = TypeVar("Row", bound=Model)


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
    found = _by_id(rows, text)
    if not found:
        raise NotFound(f"There is no execution {text!r}.", hint="See: repomill executions")
    if len(found) > 1:
        raise Conflict(f"Several executions begin with {text!r}.", hint="Give more of the id.")
    return found[0]


def _by_id(rows: QuerySet[Row], text: str) -> list[Row]:
    """Return the row of that id, or at most two whose ids begin so."""
    digits = text.replace("-", "").lower()
    if not digits or len(digits) > 32 or set(digits) - set("0123456789abcdef"):
        return []
    # A range, not a LIKE: both databases answer it from the primary key's index.
    low, high = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    return list(rows.filter(pk__gte=low, pk__lte=high)[:2])


def standing_word(execution: WorkflowExecution) -> str:
    """Return where an execution stands in one word: its status, or what refines `running`: paused, cancelling."""
    return standing(
        status=execution.status,
        paused=execution.paused_at is not None,
        cancelling=execution.cancel_requested_at is not None,
    )


def find_task(text: str) -> TaskExecution:
    """Return the task whose id is, or begins with, `text`. Raises NotFound, or Conflict where several ids begin so."""
    found = _by_id(TaskExecution.objects.select_related("step"), text)
    if not found:
        raise NotFound(f"There is no task {text!r}.", hint="A run's tasks: repomill show RUN --json")
    if len(found) > 1:
        raise Conflict(f"The ids of several tasks begin with {text!r}.", hint="Give more of the id.")
    return found[0]


def steps_of(execution: WorkflowExecution, *, results: bool = True) -> list[StepExecution]:
    """Return an execution's steps in the definition's order.

    results: with what they resulted in, which can be large; otherwise each is read when it is asked for.
    """
    steps = StepExecution.objects.filter(execution=execution).order_by("position")
    return list(steps if results else steps.defer("result"))


def tasks_of(execution: WorkflowExecution, *, without: Collection[str] = ()) -> list[TaskExecution]:
    """Return an execution's tasks, by step, item and link, without their arguments.

    without: ids of steps whose tasks are left out.
    """
    tasks = TaskExecution.objects.filter(execution=execution).exclude(step__step_id__in=without)
    rows = tasks.defer("arguments").select_related("step")
    return list(rows.order_by("step__position", "item", "position"))


@dataclass(frozen=True)
class ItemCounts:
    """How many of a repeated step's tasks of one method stand where. The others have not begun."""

    step_id: str
    method: str
    total: int
    done: int
    running: int
    waiting: int
    """Failed, and to be tried again later."""
    failed: int
    in_doubt: int
    cancelled: int


def item_counts(execution: WorkflowExecution, *, steps: Collection[str]) -> list[ItemCounts]:
    """Count the tasks of repeated steps, by step and link, in one query."""
    status = TaskExecution.Status

    def standing(*statuses: str, **more: Any) -> Count:  # noqa: ANN401  (a filter's values)
        return Count("pk", filter=Q(status__in=statuses, **more))

    rows = (
        TaskExecution.objects.filter(execution=execution, step__step_id__in=steps)
        .values_list("step__step_id", "method")
        .annotate(
            total=Count("pk"),
            done=standing(status.COMPLETED),
            running=standing(status.RUNNING),
            waiting=standing(status.PENDING, not_before__isnull=False),
            failed=standing(status.FAILED),
            in_doubt=standing(status.IN_DOUBT),
            cancelled=standing(status.CANCELLED),
        )
        .order_by("step__position", "position", "method")
    )
    return [ItemCounts(*row) for row in rows]


def events_after(execution_id: UUID, sequence: int) -> list[ExecutionEvent]:
    """Return the events of an execution that come after `sequence`, in order."""
    return list(ExecutionEvent.objects.filter(execution_id=execution_id, sequence__gt=sequence).order_by("sequence"))
