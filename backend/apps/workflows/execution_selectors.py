"""What reads executions, tasks and events as the REST API lists them: by rights, by filters, and page by page."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL

from backend.apps.authentication.models import User
from backend.apps.workflows.access import LARGE, get_execution, visible_executions, visible_parts, visible_tasks
from backend.apps.workflows.former_names import names_of
from backend.apps.workflows.merged import Merged
from backend.apps.workflows.models import ExecutionEvent, StepExecution, TaskExecution, WorkflowExecution

PAUSED, CANCELLING = "paused", "cancelling"
MOST_PARTS = 100
"""Projects whose executions are merged; who is a member of more sees most of what there is anyway."""


def list_executions(
    *,
    user: User,
    status: str | None = None,
    workflow: str | None = None,
    project: UUID | None = None,
    started_by: UUID | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
) -> Merged:
    """Return the executions that the user may see, without their large columns, for a page of them.

    status: one of the model's, or `paused` or `cancelling`, which refine `running`. workflow: its id or its name.
    created_after, created_before: from this moment on, and before that one.
    """
    # A project's or a user's executions lie together in an index, so there is nothing to be merged.
    together = project is not None or started_by is not None
    rows = Merged([visible_executions(user=user)] if together else visible_parts(user=user, most=MOST_PARTS), _for_list)
    wanted: dict[str, Any] = {
        "project_id": project,
        "user_id": started_by,
        "created_at__gte": created_after,
        "created_at__lt": created_before,
        **_of_status(status),
        **_of_workflow(workflow),
    }
    return rows.filter(**{name: value for name, value in wanted.items() if value is not None})


def _of_status(status: str | None) -> dict[str, Any]:
    if status == PAUSED:
        return {"status": WorkflowExecution.Status.RUNNING, "paused_at__isnull": False}
    if status == CANCELLING:
        return {"status": WorkflowExecution.Status.RUNNING, "cancel_requested_at__isnull": False}
    return {"status": status}


def _of_workflow(workflow: str | None) -> dict[str, Any]:
    identifier = _as_uuid(workflow) if workflow is not None else None
    return {"workflow_id": identifier} if identifier else {"workflow__name": workflow}


def _for_list(rows: QuerySet[WorkflowExecution]) -> QuerySet[WorkflowExecution]:
    return rows.select_related("workflow", "version", "user").defer(*LARGE)


def steps_of_execution(*, user: User, execution_id: UUID) -> QuerySet[StepExecution]:
    """Return an execution's steps in the definition's order. Raises as `get_execution` does."""
    get_execution(user=user, execution_id=execution_id)
    return StepExecution.objects.filter(execution_id=execution_id).order_by("position")


def tasks_of_execution(
    *, user: User, execution_id: UUID, step: str | None = None, status: str | None = None
) -> QuerySet[TaskExecution]:
    """Return an execution's tasks without arguments and results. Raises as `get_execution` does."""
    get_execution(user=user, execution_id=execution_id)
    rows = TaskExecution.objects.filter(execution_id=execution_id)
    if step is not None:
        rows = rows.filter(step__step_id=step)
    return _lean(rows if status is None else rows.filter(status=status))


def list_tasks(
    *,
    user: User,
    execution: UUID | None = None,
    in_doubt: bool | None = None,
    status: str | None = None,
    method: str | None = None,
) -> QuerySet[TaskExecution]:
    """Return tasks that the user may see, without arguments and results.

    execution: those of this one; without it, calls on their own. in_doubt: those that wait for a person, wherever.
    """
    rows = visible_tasks(user=user)
    if in_doubt:
        # Spelled out, since SQLite does not match a parameter with what the index is limited to.
        rows = rows.filter(RawSQL('"workflows_taskexecution"."status" = \'in_doubt\'', [], BooleanField()))
    if execution is not None or not in_doubt:
        rows = rows.filter(execution_id=execution)
    if status is not None:
        rows = rows.filter(status=status)
    if method is not None:
        rows = rows.filter(method__in=names_of(method))
    return _lean(rows)


def events_page(*, execution_id: UUID, after: int, limit: int) -> tuple[list[ExecutionEvent], bool]:
    """Return the next events of an execution, and whether there are more."""
    rows = ExecutionEvent.objects.filter(execution_id=execution_id, sequence__gt=after).order_by("sequence")
    found = list(rows[: limit + 1])
    return found[:limit], len(found) > limit


def _lean(rows: QuerySet[TaskExecution]) -> QuerySet[TaskExecution]:
    return rows.select_related("step").defer("arguments", "result", "step__result", "step__error", "description")


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
