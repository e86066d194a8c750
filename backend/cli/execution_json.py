"""An execution as JSON, for scripts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from backend.apps.workflows import selectors
from backend.apps.workflows.models import ExecutionEvent, StepExecution, TaskExecution, WorkflowExecution


def brief(execution: WorkflowExecution) -> dict[str, Any]:
    """Return what a list shows of an execution."""
    return {
        "id": str(execution.pk),
        "workflow": execution.workflow.name,
        "version": execution.version.number,
        "project": execution.project_name or None,
        "user": execution.user.get_username(),
        "status": execution.status,
        "paused": execution.paused_at is not None,
        "cancelling": execution.cancel_requested_at is not None,
        "current_step": execution.current_step or None,
        "created_at": _time(execution.created_at),
        "started_at": _time(execution.started_at),
        "completed_at": _time(execution.completed_at),
    }


def whole(execution: WorkflowExecution, *, events: bool = False) -> dict[str, Any]:
    """Return everything of an execution but the arguments of its tasks; its history where `events` asks for it."""
    tasks = selectors.tasks_of(execution)
    repeated = {step["id"] for step in execution.version.definition["steps"] if "each" in step}
    return {
        **brief(execution),
        "inputs": execution.input_data,
        "outputs": execution.output_data,
        "error": execution.error,
        "steps": [
            _step(step, [task for task in tasks if task.step_id == step.pk], repeated=step.step_id in repeated)
            for step in selectors.steps_of(execution)
        ],
        **({"events": [_event(event) for event in selectors.events_after(execution.pk, 0)]} if events else {}),
    }


def _event(event: ExecutionEvent) -> dict[str, Any]:
    return {
        "sequence": event.sequence,
        "kind": event.kind,
        "step_id": event.step_id,
        "task_id": str(event.task_id) if event.task_id else None,
        "data": event.data,
        "created_at": _time(event.created_at),
    }


def _step(step: StepExecution, tasks: list[TaskExecution], *, repeated: bool) -> dict[str, Any]:
    return {
        "id": step.step_id,
        "type": step.step_type,
        "status": step.status,
        "result": step.result,
        "error": step.error,
        "started_at": _time(step.started_at),
        "completed_at": _time(step.completed_at),
        "tasks": [_task(task, repeated=repeated) for task in tasks],
    }


def _task(task: TaskExecution, *, repeated: bool) -> dict[str, Any]:
    return {
        "id": str(task.pk),
        "method": task.method,
        "item": task.item if repeated else None,
        "status": task.status,
        "attempts": task.attempt,
        "retries": task.retries,
        "not_before": _time(task.not_before),
        "worker": task.worker or None,
        "error": task.error,
        "started_at": _time(task.started_at),
        "completed_at": _time(task.completed_at),
    }


def _time(value: datetime | None) -> str | None:
    return value.isoformat() if value else None
