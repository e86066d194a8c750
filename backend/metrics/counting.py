"""Counts what has been added to the history since the last time, and keeps the sums in the database.

Two who count at the same time do not count twice: the position moves by an UPDATE that names where it was, and who
finds no row has lost. The first count begins at the end of the history that is there then.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Count as CountRows
from django.db.models import F, Max, Sum
from django.db.models.functions import Coalesce

from backend.apps.projects.models import GeneratedProject
from backend.apps.workflows.models import ExecutionEvent, StepExecution, TaskExecution
from backend.metrics.increments import Event, Series, count, count_attempt
from backend.metrics.models import Count, Position

BATCH = 5_000
PATIENCE = 2.0
"""Seconds that one scrape may spend on counting; what is left over, the next one counts."""
SETTLING = timedelta(seconds=5)
"""On PostgreSQL an event with a lower number can appear after one with a higher; by then it has."""
HISTORY = "history"
SINGLE_TASKS = "single tasks"
RUN_ENDS = {"execution_completed", "execution_failed", "execution_cancelled"}


def catch_up(*, now: datetime) -> int:
    """Count what is new, for as long as the patience lasts. Returns how many events are left, as far as is known."""
    settled = now if connection.vendor == "sqlite" else now - SETTLING
    _count_single_tasks(settled)
    began = time.monotonic()
    while _count_batch(settled) == BATCH:
        if time.monotonic() - began > PATIENCE:
            break
    last = ExecutionEvent.objects.aggregate(last=Max("pk"))["last"] or 0
    return int(max(0, last - int(_position(HISTORY, "0"))))


def _count_batch(settled: datetime) -> int:
    """Count the next events, and return how many there were."""
    with transaction.atomic():
        newest = ExecutionEvent.objects.aggregate(last=Max("pk"))["last"] or 0
        position = int(_position(HISTORY, str(newest)))
        rows = list(
            ExecutionEvent.objects.filter(pk__gt=position)
            .order_by("pk")
            .values_list("pk", "execution_id", "kind", "step_id", "data", "created_at")[:BATCH]
        )
        ready = next((index for index, row in enumerate(rows) if row[-1] > settled), len(rows))
        rows = rows[:ready]
        if not rows or not _move(HISTORY, str(position), str(rows[-1][0])):
            return 0
        events = [Event(execution, kind, step, data) for _, execution, kind, step, data, _ in rows]
        total = count(events, step_types=_step_types(events))
        total.update(_generated({event.execution_id for event in events if event.kind in RUN_ENDS}))
        _add(total)
    return len(rows)


def _count_single_tasks(settled: datetime) -> None:
    """Count the tasks that were called on their own: they have no history."""
    with transaction.atomic():
        position = _position(SINGLE_TASKS, settled.isoformat())
        since = datetime.fromisoformat(position)
        ended = TaskExecution.objects.filter(execution=None, completed_at__gt=since, completed_at__lte=settled)
        rows = list(ended.order_by().values_list("method", "status", "started_at", "completed_at"))
        if not rows or not _move(SINGLE_TASKS, position, settled.isoformat()):
            return
        total: Counter[Series] = Counter()
        for method, status, started, completed in rows:
            seconds = None
            if started is not None and completed is not None and status != "cancelled":
                seconds = (completed - started).total_seconds()
            count_attempt(total, method=method, outcome=status, seconds=seconds)
        _add(total)


def _step_types(events: Sequence[Event]) -> dict[tuple[UUID, str], str]:
    ended = {event.execution_id for event in events if event.kind.startswith("step_")}
    rows = StepExecution.objects.filter(execution__in=ended).values_list("execution_id", "step_id", "step_type")
    return {(execution, step): kind for execution, step, kind in rows}


def _generated(executions: set[UUID]) -> dict[Series, int]:
    if not executions:
        return {}
    made = GeneratedProject.objects.filter(workflow_execution__in=executions).aggregate(
        files=Coalesce(Sum("total_files"), 0), size=Coalesce(Sum("total_size"), 0), rows=CountRows("pk")
    )
    if not made["rows"]:
        return {}
    return {
        ("repomill_generated_files_total", ()): made["files"],
        ("repomill_generated_bytes_total", ()): made["size"],
    }


def _position(source: str, beginning: str) -> str:
    row, _ = Position.objects.get_or_create(source=source, defaults={"last": beginning})
    return row.last


def _move(source: str, before: str, after: str) -> bool:
    return Position.objects.filter(source=source, last=before).update(last=after) == 1


def _add(total: Counter[Series]) -> None:
    """Add to the kept sums; within the transaction that has moved the position, so nobody else does."""
    keys = {json.dumps([name, *labels]): (name, labels) for name, labels in total}
    known = set(Count.objects.filter(key__in=keys).values_list("key", flat=True))
    Count.objects.bulk_create(
        Count(name=name, labels=list(labels), key=key, value=total[name, labels])
        for key, (name, labels) in keys.items()
        if key not in known
    )
    for key in sorted(known):
        Count.objects.filter(key=key).update(value=F("value") + total[keys[key]])
