"""Completes a task whose service has answered: the first journey of its write-back, which every link makes.

What follows from the completion is `write_back`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backend.apps.workflows.execution import items
from backend.apps.workflows.execution.claim import ClaimedTask
from backend.apps.workflows.execution.reading import locked, locking, reading_steps, steps_read
from backend.apps.workflows.execution.statements import fetch_each, values
from backend.apps.workflows.models import StepExecution, TaskExecution, WorkflowExecution
from backend.apps.workflows.publishing import sending

_TASK = f'"{TaskExecution._meta.db_table}"'
_COMPLETE = f"""
    UPDATE {_TASK} SET "status" = 'completed', "result" = %(result)s, "error" = NULL, "completed_at" = %(completed_at)s,
        "lease_expires_at" = NULL
    WHERE "id" = %(id)s AND "status" = 'running' AND "attempt" = %(attempt)s
    RETURNING "cancel_requested_at"
"""  # noqa: S608  (the name of a table)
_READY = f"""
    UPDATE {_TASK} SET "ready" = TRUE, "published_at" = %(published_at)s,
        "next_publish_at" = %(next_publish_at)s
    WHERE "step_id" = %(step)s AND "item" = %(item)s AND "position" = %(position)s AND "status" = 'pending'
        AND EXISTS (SELECT 1 FROM {_TASK} AS done WHERE done."id" = %(id)s AND done."attempt" = %(attempt)s
            AND done."status" = 'completed' AND done."cancel_requested_at" IS NULL)
    RETURNING 1
"""  # noqa: S608  (the name of a table)


@dataclass(frozen=True)
class Read:
    """What the first journey of a write-back brings. steps, links: only read after the last link of a chain."""

    execution: WorkflowExecution
    completed: list[tuple[Any, ...]]
    following: bool
    steps: dict[str, StepExecution] | None = None
    links: list[tuple[Any, ...]] | None = None


def complete_and_read(claimed: ClaimedTask, result: Any, now: datetime) -> Read:  # noqa: ANN401  (JSON)
    """Lock the execution, complete the task, and read what is needed to go on; or make the next link ready."""
    assert claimed.execution_id is not None  # noqa: S101  (the caller has looked)
    assert claimed.step_pk is not None  # noqa: S101
    lock, done = locking(claimed.execution_id, whole=not claimed.followed), completing(claimed, result, now)
    if claimed.followed:
        execution, completed, ready = fetch_each(lock, done, _making_next_ready(claimed, now))
        return Read(locked(execution), completed, following=bool(ready))
    steps, links = reading_steps(claimed.execution_id), items.reading_links(claimed.step_pk, item=claimed.item)
    execution, completed, step_rows, link_rows = fetch_each(lock, done, steps, links)
    whole = locked(execution, whole=True)
    return Read(whole, completed, following=False, steps=steps_read(step_rows), links=link_rows)


def completing(claimed: ClaimedTask, result: Any, now: datetime) -> tuple[str, dict[str, Any]]:  # noqa: ANN401  (JSON)
    """Return the statement that completes a task. It gives a row where the attempt is still the newest one."""
    return _COMPLETE, values(TaskExecution, id=claimed.id, attempt=claimed.attempt, result=result, completed_at=now)


def _making_next_ready(claimed: ClaimedTask, now: datetime) -> tuple[str, dict[str, Any]]:
    # Its message is the chain's own; the reconciler sends one only if that one is lost.
    return _READY, values(
        TaskExecution,
        id=claimed.id,
        attempt=claimed.attempt,
        step=claimed.step_pk,
        item=claimed.item,
        position=claimed.position + 1,
        **sending(now),
    )
