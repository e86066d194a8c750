"""Moves an execution on: finishes steps, starts those whose turn has come, and ends the whole.

Everything here runs inside the caller's transaction, with the execution's row locked. Messages leave after the commit.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from backend.apps.workflows import step_types
from backend.apps.workflows.decisions.graph import StepState, decide_next
from backend.apps.workflows.definitions.definition import Definition, Step, from_data
from backend.apps.workflows.definitions.rendering import render
from backend.apps.workflows.definitions.schema import check
from backend.apps.workflows.execution.events import History
from backend.apps.workflows.models import StepExecution, TaskExecution, WorkflowExecution, WorkflowVersion
from backend.apps.workflows.publishing import publish_chain, publish_grace
from backend.errors import InvalidInput, RepomillError

Status = StepExecution.Status
BLOCKED = "dependency_failed"


@lru_cache(maxsize=256)
def definition_of(version_id: UUID) -> Definition:
    """Return a version's definition; a version never changes, so it is read once per process."""
    return from_data(WorkflowVersion.objects.values_list("definition", flat=True).get(pk=version_id))


def lock_execution(execution_id: UUID | None) -> WorkflowExecution | None:
    """Lock an execution's row for the rest of the transaction. None for a task that belongs to no execution."""
    if execution_id is None:
        return None
    return WorkflowExecution.objects.select_for_update().defer("input_data", "output_data").get(pk=execution_id)


def finish_step(
    execution: WorkflowExecution, step_pk: UUID, history: History, *, error: dict[str, Any] | None = None
) -> None:
    """End a running step: with an error, or with the result that its type makes of its links' results."""
    step = StepExecution.objects.get(pk=step_pk)
    if error is None:
        results = TaskExecution.objects.filter(step=step).order_by("position").values_list("result", flat=True)
        step_type = step_types.get(step.step_type)
        step.result = (step_type.result if step_type else step_types.last_result)(list(results))
        step.status = Status.COMPLETED
    else:
        step.error = error
        step.status = Status.FAILED
        # What the chain had still before it will never be done.
        TaskExecution.objects.filter(step=step, status=TaskExecution.Status.PENDING).update(
            status=TaskExecution.Status.CANCELLED, next_publish_at=None
        )
    step.completed_at = timezone.now()
    step.save(update_fields=["status", "result", "error", "completed_at"])
    history.add(f"step_{step.status}", step_id=step.step_id, error=error)
    _note(execution, step)


def advance(execution: WorkflowExecution, history: History) -> None:
    """Start, skip and end what can be, until nothing changes any more."""
    definition = definition_of(execution.version_id)
    rows = {row.step_id: row for row in StepExecution.objects.filter(execution=execution)}
    while True:
        following = decide_next(definition, {name: _state(row) for name, row in rows.items()})
        for step_id, reason in following.skip:
            _skip(execution, rows[step_id], history, reason, blocked=True)
        if following.outcome is not None:
            _end(execution, definition, history, following.outcome)
            return
        for step_id in following.start:
            _start(execution, definition.step(step_id), rows[step_id], history)
        if all(rows[step_id].status == Status.RUNNING for step_id in following.start):
            _save(execution, rows)
            return


def _state(row: StepExecution) -> StepState:
    blocked = row.status == Status.SKIPPED and (row.error or {}).get("code") == BLOCKED
    return StepState(row.status, blocked=blocked)


def _start(execution: WorkflowExecution, step: Step, row: StepExecution, history: History) -> None:
    """Start a step: its condition is asked, its config filled in, and its chain of tasks made. Or end it at once."""
    data = _data(execution)
    try:
        if step.condition is not None and not _holds(step, data):
            _skip(execution, row, history, f"its condition {step.condition} is false", blocked=False)
            return
        links = _links(step, render(step.config, data, ("steps", step.id, "config")))
    except RepomillError as error:
        _fail_at_start(execution, row, error, history)
        return
    row.status = Status.RUNNING
    row.started_at = timezone.now()
    row.save(update_fields=["status", "started_at"])
    history.add("step_started", step_id=row.step_id, methods=[link.method for link in links])
    tasks = TaskExecution.objects.bulk_create(_tasks(execution, step, row, links))
    transaction.on_commit(lambda: publish_chain(tasks))
    _note(execution, row)


def _holds(step: Step, data: dict[str, Any]) -> bool:
    value = render(step.condition, data, ("steps", step.id, "condition"))
    if not isinstance(value, bool):
        raise InvalidInput(
            f"The condition {step.condition} yields {type(value).__name__}.",
            path=f"steps.{step.id}.condition",
            expected="true or false",
        )
    return value


def _links(step: Step, config: Any) -> list[step_types.Link]:  # noqa: ANN401  (JSON)
    step_type = step_types.get(step.type)
    if step_type is None:
        raise InvalidInput(
            f"The step type {step.type!r} is not installed here.",
            path=f"steps.{step.id}.type",
            expected="one of " + ", ".join(step_types.names()),
        )
    if misfit := check(config, step_type.config_schema):
        path = ".".join(str(part) for part in ("steps", step.id, "config", *misfit.path))
        raise InvalidInput(misfit.sentence, path=path, expected=misfit.expected)
    return step_type.links(config)


def _tasks(
    execution: WorkflowExecution, step: Step, row: StepExecution, links: list[step_types.Link]
) -> list[TaskExecution]:
    now = timezone.now()
    label = execution.project_name or execution.workflow.name
    return [
        TaskExecution(
            key=f"{execution.pk}/{step.id}/{position}",
            execution=execution,
            step=row,
            position=position,
            user_id=execution.user_id,
            project_id=execution.project_id,
            method=link.method,
            arguments=link.arguments,
            description=f"{label} · {step.id} · {link.method}"[:300],
            max_retries=step.max_retries,
            timeout_seconds=step.timeout_seconds,
            ready=position == 0,
            next_publish_at=now + publish_grace(0) if position == 0 else None,
        )
        for position, link in enumerate(links)
    ]


def _skip(execution: WorkflowExecution, row: StepExecution, history: History, reason: str, *, blocked: bool) -> None:
    row.status = Status.SKIPPED
    row.error = {"code": BLOCKED if blocked else "condition_false", "message": f"Skipped: {reason}."}
    row.completed_at = timezone.now()
    row.save(update_fields=["status", "error", "completed_at"])
    history.add("step_skipped", step_id=row.step_id, reason=reason)
    _note(execution, row)


def _fail_at_start(execution: WorkflowExecution, row: StepExecution, error: RepomillError, history: History) -> None:
    row.status = Status.FAILED
    row.error = error.as_json()
    row.completed_at = timezone.now()
    row.save(update_fields=["status", "error", "completed_at"])
    history.add("step_failed", step_id=row.step_id, error=row.error)
    _note(execution, row)


def _data(execution: WorkflowExecution) -> dict[str, Any]:
    """Return what expressions can read. A failed or skipped step has no result."""
    return {
        "inputs": execution.input_data,
        "steps": execution.state.get("steps", {}),
        "run": {
            "id": str(execution.pk),
            "project": str(execution.project_id) if execution.project_id else None,
            "project_name": execution.project_name,
            "user": execution.user.get_username(),
        },
    }


def _note(execution: WorkflowExecution, row: StepExecution) -> None:
    """Write a step's standing into the execution's state, where later steps and people read it."""
    noted: dict[str, Any] = {"status": row.status}
    if row.result is not None:
        noted["result"] = row.result
    if row.error is not None:
        noted["error"] = row.error
    execution.state.setdefault("steps", {})[row.step_id] = noted


def _save(execution: WorkflowExecution, rows: dict[str, StepExecution]) -> None:
    running = [row for row in rows.values() if row.status == Status.RUNNING]
    execution.current_step = min(running, key=lambda row: row.position).step_id if running else ""
    execution.save(update_fields=["state", "current_step", "updated_at"])


def _end(execution: WorkflowExecution, definition: Definition, history: History, outcome: str) -> None:
    error: dict[str, Any] | None = None
    output: dict[str, Any] = {}
    steps = execution.state.get("steps", {})
    if outcome == "failed":
        failed = next(name for name, step in steps.items() if step["status"] in {"failed", "cancelled"})
        error = {
            "step": failed,
            **(steps[failed].get("error") or {"code": "cancelled", "message": "It was cancelled."}),
        }
    else:
        try:
            output = render(definition.outputs, _data(execution), ("outputs",))
        except RepomillError as wrong:
            outcome, error = "failed", wrong.as_json()
    execution.status = outcome
    execution.error = error
    execution.output_data = output
    execution.current_step = ""
    execution.completed_at = timezone.now()
    execution.save(
        update_fields=["status", "error", "output_data", "state", "current_step", "completed_at", "updated_at"]
    )
    history.add(f"execution_{outcome}", error=error)
