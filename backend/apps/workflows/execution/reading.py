"""Reads an execution, locked for the rest of the transaction, its steps, and the definition that it follows."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import connection

from backend.apps.authentication.models import User
from backend.apps.workflows.definitions.definition import Definition, from_data
from backend.apps.workflows.execution.statements import Columns, as_value, fetch
from backend.apps.workflows.models import StepExecution, WorkflowExecution, WorkflowVersion

_TABLE = WorkflowExecution._meta.db_table
_LARGE = {"input_data", "output_data", "state"}
_WHOLE = Columns(WorkflowExecution, [field.name for field in WorkflowExecution._meta.concrete_fields])
_LEAN = Columns(WorkflowExecution, [f.name for f in WorkflowExecution._meta.concrete_fields if f.name not in _LARGE])
_USERNAME = f'(SELECT u."username" FROM "{User._meta.db_table}" AS u WHERE u."id" = "{_TABLE}"."user_id")'  # noqa: S608
_LEAN_TEXT = f'SELECT {_LEAN.text} FROM "{_TABLE}" WHERE "id" = %s'  # noqa: S608
_WHOLE_TEXT = f'SELECT {_WHOLE.text}, {_USERNAME} FROM "{_TABLE}" WHERE "id" = %s'  # noqa: S608
_STEP = Columns(StepExecution, [field.name for field in StepExecution._meta.concrete_fields if field.name != "result"])
_STEPS = f'SELECT {_STEP.text} FROM "{StepExecution._meta.db_table}" WHERE "execution_id" = %s'  # noqa: S608


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


def locking(execution_id: UUID, *, whole: bool = False, skip_locked: bool = False) -> tuple[str, list[Any]]:
    """Return the statement that locks an execution's row.

    whole: it reads the inputs and the state too. skip_locked: it gives no row where somebody else has it locked.
    """
    features, lock = connection.features, ""
    if features.has_select_for_update:
        lock = f' FOR UPDATE OF "{_TABLE}"'
        if skip_locked and features.has_select_for_update_skip_locked:
            lock += " SKIP LOCKED"
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


def read_steps(execution: WorkflowExecution) -> dict[str, StepExecution]:
    """Return the execution's steps by their ids; see `steps_read`."""
    return steps_read(fetch(*reading_steps(execution.pk)))
