"""Several small tasks of one method that a worker does together: one statement claims, one transaction completes.

Each stays a task of its own, with its claim, its lease and its fence; only the ways to the database are shared. It is
for tasks that nothing follows from, that were never tried before, and that take no longer together than one lease
lasts: nobody extends it meanwhile. What cannot be done like this is handed back, and then done by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from backend.apps.workflows.execution.claim import ClaimedTask, as_claimed, lease_duration
from backend.apps.workflows.execution.completion import completing
from backend.apps.workflows.execution.statements import Columns, among, fetch, fetch_each, values
from backend.apps.workflows.models import TaskExecution

_TASK = f'"{TaskExecution._meta.db_table}"'
_COLUMNS = Columns(
    TaskExecution,
    [
        *("id", "key", "method", "arguments", "attempt", "retries", "max_retries", "user", "project_id", "grant"),
        *("execution", "step", "position", "item", "lost_worker", "losses"),
    ],
)


def claim_together(task_ids: Sequence[UUID], *, worker: str, now: datetime) -> list[ClaimedTask]:
    """Claim those of the tasks that wait to be tried for the first time. Others have them, or none has, if it is none.

    Each says by its `grant` what the service token was good for that started it: whoever does them looks at that.
    """
    if not task_ids:
        return []
    those, parameters = among(TaskExecution, "id", task_ids)
    parameters |= values(TaskExecution, worker=worker[:200], started_at=now, lease_expires_at=now + lease_duration())
    claiming = f"""
        UPDATE {_TASK} SET "status" = 'running', "attempt" = 1, "worker" = %(worker)s, "started_at" = %(started_at)s,
            "lease_expires_at" = %(lease_expires_at)s, "next_publish_at" = NULL
        WHERE {those} AND "ready" AND "status" = 'pending'
            AND "attempt" = 0 AND "not_before" IS NULL AND "cancel_requested_at" IS NULL AND "execution_id" IS NULL
        RETURNING {_COLUMNS.text}
    """  # noqa: S608  (names of columns and of parameters)
    return [as_claimed(_COLUMNS.read(row), now, step_id="") for row in fetch(claiming, parameters)]


def complete_together(results: Sequence[tuple[ClaimedTask, Any]], *, now: datetime) -> set[UUID]:
    """Complete tasks with their results, inside the caller's transaction. Returns those that no other has overtaken."""
    rows = fetch_each(*(completing(claimed, result, now) for claimed, result in results))
    return {claimed.id for (claimed, _), row in zip(results, rows, strict=True) if row}
