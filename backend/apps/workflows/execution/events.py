"""Appends to an execution's history.

The execution's row is locked by whoever appends, so that the sequence has no gaps and no two events share a number.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import F

from backend.apps.workflows.models import ExecutionEvent, WorkflowExecution


class History:
    """Collects the events of one transaction and writes them at its end, in one query each for rows and counter."""

    def __init__(self, execution_id: UUID) -> None:
        self.execution_id = execution_id
        self._events: list[ExecutionEvent] = []

    def add(self, kind: str, *, step_id: str = "", task_id: UUID | None = None, **data: Any) -> None:  # noqa: ANN401
        """Note an event. `kind` is a stable word; `data` is JSON; what is None is left out."""
        known = {name: value for name, value in data.items() if value is not None}
        self._events.append(
            ExecutionEvent(execution_id=self.execution_id, kind=kind, step_id=step_id, task_id=task_id, data=known)
        )

    def write(self) -> None:
        """Write what was noted; must be called within the transaction that made the changes."""
        if not self._events:
            return
        rows = WorkflowExecution.objects.filter(pk=self.execution_id)
        rows.update(event_sequence=F("event_sequence") + len(self._events))
        last = rows.values_list("event_sequence", flat=True).get()
        for number, event in enumerate(self._events, last - len(self._events) + 1):
            event.sequence = number
        ExecutionEvent.objects.bulk_create(self._events)
        self._events = []
