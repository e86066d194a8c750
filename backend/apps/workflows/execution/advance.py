"""Moves an execution on: finishes steps, starts those whose turn has come, and ends the whole.

Everything here runs inside the caller's transaction, with the execution's row locked. Messages leave after the commit.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from django.utils import timezone

from backend.apps.workflows.decisions.graph import StepState, decide_next
from backend.apps.workflows.definitions.definition import Definition, Step
from backend.apps.workflows.definitions.rendering import render
from backend.apps.workflows.execution import items
from backend.apps.workflows.execution.cancelling import end_execution
from backend.apps.workflows.execution.chains import chains_of, save_and_send
from backend.apps.workflows.execution.events import History
from backend.apps.workflows.execution.noting import note
from backend.apps.workflows.execution.reading import definition_of, read_steps
from backend.apps.workflows.execution.statements import save
from backend.apps.workflows.models import StepExecution, TaskExecution, WorkflowExecution
from backend.errors import InvalidInput, RepomillError

Status = StepExecution.Status
BLOCKED = "dependency_failed"
LARGEST_STATE = 64 * 1024 * 1024
"""Characters that the results of all steps may have together, as JSON: they are one value, read and written as one."""


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
            _require_room(execution, step)
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


def _require_room(execution: WorkflowExecution, step: StepExecution) -> None:
    """Raise InvalidInput where the state would become larger with a step's result than one value may be."""
    size = len(json.dumps(step.result))
    # A thousand of those below are no matter, and the state itself is not measured for them.
    if size > LARGEST_STATE // 1000 and size + len(json.dumps(execution.state)) > LARGEST_STATE:
        raise InvalidInput(
            f"The results of the execution's steps are larger than {LARGEST_STATE // 1024 // 1024} MiB.",
            path=f"steps.{step.step_id}",
            hint="Ask for less in each step, or start several executions.",
        )


def advance(execution: WorkflowExecution, history: History, steps: dict[str, StepExecution] | None = None) -> None:
    """Start, skip and end what can be, until nothing changes any more.

    steps: the execution's steps as they stand, where the caller has them already.
    Nothing starts while the execution is paused, and one that is to be cancelled only waits for what still runs.
    """
    definition = definition_of(execution.version_id)
    rows = read_steps(execution) if steps is None else steps
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
        # A database gives the state's names in an order of its own.
        failed = next(
            step.id
            for step in definition.steps
            if not step.continue_on_error and steps.get(step.id, {}).get("status") in {"failed", "cancelled"}
        )
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
