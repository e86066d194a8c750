"""Appends to an execution's history.

The execution's row is locked by whoever appends, so that the sequence has no gaps and no two events share a number.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils import timezone

from backend.apps.workflows.execution.statements import run, values
from backend.apps.workflows.models import ExecutionEvent

_TABLE = ExecutionEvent._meta.db_table
_COLUMNS = ("kind", "step_id", "task_id", "data", "created_at")
_NAMES = ", ".join(f'"{name}"' for name in ("execution_id", "sequence", *_COLUMNS))
_INTO = f'INSERT INTO "{_TABLE}" ({_NAMES}) VALUES '  # noqa: S608
_LAST = f'(SELECT COALESCE(MAX("sequence"), 0) FROM "{_TABLE}" WHERE "execution_id" = %s)'  # noqa: S608
_ROW = f"(%s, {_LAST} + %s, " + ", ".join(["%s"] * len(_COLUMNS)) + ")"


class History:
    """Collects the events of one transaction and writes them at its end, in one statement."""

    def __init__(self, execution_id: UUID) -> None:
        self.execution_id = execution_id
        self._events: list[dict[str, Any]] = []

    def add(self, kind: str, *, step_id: str = "", task_id: UUID | None = None, **data: Any) -> None:  # noqa: ANN401
        """Note an event. `kind` is a stable word; `data` is JSON; what is None is left out."""
        known = {name: value for name, value in data.items() if value is not None}
        self._events.append({"kind": kind, "step_id": step_id, "task_id": task_id, "data": known})

    def write(self) -> None:
        """Write what was noted; must be called within the transaction that made the changes."""
        if not self._events:
            return
        now = timezone.now()
        parameters: list[Any] = []
        for number, event in enumerate(self._events, 1):
            row = values(ExecutionEvent, execution=self.execution_id, created_at=now, **event)
            parameters += [row["execution"], row["execution"], number, *(row[name] for name in _COLUMNS)]
        run(_INTO + ", ".join([_ROW] * len(self._events)), parameters)
        self._events = []
