"""Moves an execution on: finishes steps, starts those whose turn has come, and ends the whole.

Everything here runs inside the caller's transaction, with the execution's row locked. Messages leave after the commit.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.workflows.decisions.graph import StepState, decide_next
from backend.apps.workflows.definitions.definition import Definition, Step, from_data
from backend.apps.workflows.definitions.rendering import render
from backend.apps.workflows.execution import items
from backend.apps.workflows.execution.cancelling import end_execution
from backend.apps.workflows.execution.chains import chains_of, save_and_send
from backend.apps.workflows.execution.events import History
from backend.apps.workflows.execution.noting import note
from backend.apps.workflows.execution.statements import Columns, as_value, fetch, save
from backend.apps.workflows.models import StepExecution, TaskExecution, WorkflowExecution, WorkflowVersion
from backend.errors import InvalidInput, RepomillError

Status = StepExecution.Status
_TABLE = WorkflowExecution._meta.db_table
_LARGE = {"input_data", "output_data", "state"}
_WHOLE = Columns(WorkflowExecution, [field.name for field in WorkflowExecution._meta.concrete_fields])
_LEAN = Columns(WorkflowExecution, [f.name for f in WorkflowExecution._meta.concrete_fields if f.name not in _LARGE])
_USERNAME = f'(SELECT u."username" FROM "{User._meta.db_table}" AS u WHERE u."id" = "{_TABLE}"."user_id")'  # noqa: S608
_LEAN_TEXT = f'SELECT {_LEAN.text} FROM "{_TABLE}" WHERE "id" = %s'  # noqa: S608
_WHOLE_TEXT = f'SELECT {_WHOLE.text}, {_USERNAME} FROM "{_TABLE}" WHERE "id" = %s'  # noqa: S608
_STEP = Columns(StepExecution, [field.name for field in StepExecution._meta.concrete_fields if field.name != "result"])
_STEPS = f'SELECT {_STEP.text} FROM "{StepExecution._meta.db_table}" WHERE "execution_id" = %s'  # noqa: S608
BLOCKED = "dependency_failed"


@lru_cache(maxsize=256)
def definition_of(version_id: UUID) -> Definition:
    """Return a version's definition; a version never changes, so it is read once per process."""
    return from_data(WorkflowVersion.objects.values_list("definition", flat=True).get(pk=version_id))


def lock_execution(execution_id: UUID | None) -> WorkflowExecution | None:
    """Lock an execution's row for the rest of the transaction. None for a task that belongs to no execution.

    Its inputs and its state, which can be large, are read when they are first asked for.
    """
    if execution_id is None:
        return None
    return locked(fetch(*locking(execution_id)))


def locking(execution_id: UUID, *, whole: bool = False) -> tuple[str, list[Any]]:
    """Return the statement that locks an execution's row; whole: it reads the inputs and the state too."""
    lock = f' FOR UPDATE OF "{_TABLE}"' if connection.features.has_select_for_update else ""
    return (_WHOLE_TEXT if whole else _LEAN_TEXT) + lock, [as_value(WorkflowExecution, "id", execution_id)]


def locked(rows: list[tuple[Any, ...]], *, whole: bool = False) -> WorkflowExecution:
    """Return the execution that `locking` gave. Raises WorkflowExecution.DoesNotExist."""
    if not rows:
        raise WorkflowExecution.DoesNotExist
    if not whole:
        lean: WorkflowExecution = _LEAN.read(rows[0])
        return lean
    *columns, username = rows[0]
    execution: WorkflowExecution = _WHOLE.read(columns)
    execution.username = username
    return execution


def reading_steps(execution_id: UUID) -> tuple[str, list[Any]]:
    """Return the statement that reads an execution's steps for `steps_read`."""
    return _STEPS, [as_value(StepExecution, "execution", execution_id)]


def steps_read(rows: list[tuple[Any, ...]]) -> dict[str, StepExecution]:
    """Return the steps by their ids. What they resulted in is in the execution's state already."""
    steps: list[StepExecution] = [_STEP.read(row) for row in rows]
    return {step.step_id: step for step in steps}


def finish_step(
    execution: WorkflowExecution,
    step: StepExecution,
    history: History,
    *,
    error: dict[str, Any] | None = None,
    links: list[tuple[Any, ...]] | None = None,
) -> None:
    """End a running step: with an error, or with the result that its type makes of its links' results.

    links: those results as `items.reading_links` gives them, where the caller has them already.
    """
    if error is None:
        each = definition_of(execution.version_id).step(step.step_id).each is not None
        try:
            step.result = items.result_of(step, each=each, links=links)
            step.status = Status.COMPLETED
            # It may have completed although it was to be cancelled.
            step.error = None
        except RepomillError as wrong:
            error = wrong.as_json()
    if error is not None:
        step.error = error
        step.status = Status.FAILED
        # What the chain had still before it will never be done.
        TaskExecution.objects.filter(step=step, status=TaskExecution.Status.PENDING).update(
            status=TaskExecution.Status.CANCELLED, next_publish_at=None
        )
    step.completed_at = timezone.now()
    save(step, *(["result"] if error is None else []), "status", "error", "completed_at")
    history.add(f"step_{step.status}", step_id=step.step_id, error=error)
    note(execution, step)


def advance(execution: WorkflowExecution, history: History, steps: dict[str, StepExecution] | None = None) -> None:
    """Start, skip and end what can be, until nothing changes any more.

    steps: the execution's steps as they stand, where the caller has them already.
    Nothing starts while the execution is paused, and one that is to be cancelled only waits for what still runs.
    """
    definition = definition_of(execution.version_id)
    rows = steps_read(fetch(*reading_steps(execution.pk))) if steps is None else steps
    if execution.cancel_requested_at is not None:
        end_execution(execution, rows.values(), history)
        return
    while True:
        following = decide_next(definition, {name: state_of(row) for name, row in rows.items()})
        if execution.paused_at is not None:
            following = replace(following, start=())
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


def state_of(row: StepExecution) -> StepState:
    """Return where a step stands, as decisions look at it."""
    blocked = row.status == Status.SKIPPED and (row.error or {}).get("code") == BLOCKED
    return StepState(row.status, blocked=blocked)


def _start(execution: WorkflowExecution, step: Step, row: StepExecution, history: History) -> None:
    """Start a step: its condition is asked, its config filled in, and its chain of tasks made. Or end it at once."""
    data = _data(execution)
    try:
        if step.condition is not None and not _holds(step, data):
            _skip(execution, row, history, f"its condition {step.condition} is false", blocked=False)
            return
        name = definition_of(execution.version_id).name
        chains = chains_of(execution, step, row, data, label=execution.project_name or name)
    except RepomillError as error:
        _fail_at_start(execution, row, error, history)
        return
    row.status = Status.RUNNING
    row.started_at = timezone.now()
    save(row, "status", "started_at")
    methods = [task.method for task in chains[0]] if chains else []
    history.add("step_started", step_id=row.step_id, methods=methods, items=len(chains) if step.each else None)
    if chains:
        save_and_send(chains, at_once=step.max_parallel)
        note(execution, row)
    else:
        finish_step(execution, row, history)


def _holds(step: Step, data: dict[str, Any]) -> bool:
    value = render(step.condition, data, ("steps", step.id, "condition"))
    if not isinstance(value, bool):
        raise InvalidInput(
            f"The condition {step.condition} yields {type(value).__name__}.",
            path=f"steps.{step.id}.condition",
            expected="true or false",
        )
    return value


def _skip(execution: WorkflowExecution, row: StepExecution, history: History, reason: str, *, blocked: bool) -> None:
    row.status = Status.SKIPPED
    row.error = {"code": BLOCKED if blocked else "condition_false", "message": f"Skipped: {reason}."}
    row.completed_at = timezone.now()
    save(row, "status", "error", "completed_at")
    history.add("step_skipped", step_id=row.step_id, reason=reason)
    note(execution, row)


def _fail_at_start(execution: WorkflowExecution, row: StepExecution, error: RepomillError, history: History) -> None:
    row.status = Status.FAILED
    row.error = error.as_json()
    row.completed_at = timezone.now()
    save(row, "status", "error", "completed_at")
    history.add("step_failed", step_id=row.step_id, error=row.error)
    note(execution, row)


def _data(execution: WorkflowExecution) -> dict[str, Any]:
    """Return what expressions can read. A failed or skipped step has no result."""
    return {
        "inputs": execution.input_data,
        "steps": execution.state.get("steps", {}),
        "run": {
            "id": str(execution.pk),
            "project": str(execution.project_id) if execution.project_id else None,
            "project_name": execution.project_name,
            "user": execution.username or execution.user.get_username(),
        },
    }


def _save(execution: WorkflowExecution, rows: dict[str, StepExecution]) -> None:
    running = [row for row in rows.values() if row.status == Status.RUNNING]
    execution.current_step = min(running, key=lambda row: row.position).step_id if running else ""
    save(execution, "state", "current_step", "updated_at")


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
    execution.paused_at = None
    execution.error = error
    execution.output_data = output
    execution.current_step = ""
    execution.completed_at = timezone.now()
    save(
        execution,
        *("status", "error", "output_data", "state", "current_step", "completed_at", "paused_at", "updated_at"),
    )
    history.add(f"execution_{outcome}", error=error)
