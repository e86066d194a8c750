"""Writes how a step stands into its execution's state, where later steps and people read it."""

from __future__ import annotations

from typing import Any

from backend.apps.workflows.models import StepExecution, WorkflowExecution


def note(execution: WorkflowExecution, row: StepExecution) -> None:
    """Write a step's standing into the state of the execution, which the caller saves."""
    noted: dict[str, Any] = {"status": row.status}
    # Only a completed step has one; of the others it is not even read.
    if row.status == StepExecution.Status.COMPLETED and row.result is not None:
        noted["result"] = row.result
    if row.error is not None:
        noted["error"] = row.error
    execution.state.setdefault("steps", {})[row.step_id] = noted


def forget(execution: WorkflowExecution, row: StepExecution) -> None:
    """Take a step out of the state: it is as if it had never begun."""
    execution.state.get("steps", {}).pop(row.step_id, None)
