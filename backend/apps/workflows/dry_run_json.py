"""A dry run as JSON, for REST and for scripts alike. What is not known stands there as its mark."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from backend.apps.workflows.services.dry_run import DryRun
from backend.apps.workflows.services.dry_values import DryStep


def dry_run_as_json(run: DryRun) -> dict[str, Any]:
    """Return everything that a dry run has found out."""
    return {
        "workflow": run.workflow,
        "project": run.project,
        "outcome": run.outcome,
        "error": run.error,
        "warnings": list(run.warnings),
        "steps": [_step(step) for step in run.steps],
        "files": asdict(run.files) if run.files else None,
        "outputs": run.outputs,
        "unknown": [asdict(missing) for missing in run.missing],
    }


def _step(step: DryStep) -> dict[str, Any]:
    return {
        "id": step.id,
        "name": step.name,
        "type": step.type,
        "status": step.status,
        "why": step.why,
        "error": step.error,
        "condition": step.condition,
        "condition_known": step.condition_known,
        "repeated": step.repeated,
        "items": step.items,
        "shown_items": step.shown_items,
        "effects": [asdict(effect) for effect in step.effects],
        "unknown": [asdict(missing) for missing in step.missing],
    }
