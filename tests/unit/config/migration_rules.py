"""What a migration may do while processes of the version before still run, and others wait for their tables.

`objections` is asked of each operation in turn, with the state before it. It knows operations, and not what a table
holds: every table may be large, and every column may be written by an older process.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import migrations
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import NOT_PROVIDED

from backend.unlocked_indexes import AddIndexBeside, RemoveIndexBeside

HARMLESS = (
    migrations.CreateModel,
    migrations.AlterModelOptions,
    migrations.AlterModelManagers,
    migrations.RemoveIndex,
    migrations.RemoveConstraint,
)
GONE = "processes of the version before still use it: stop using it in one version, remove it in the next"
RENAMED = "processes of the version before know the old name: add the new one, write both, remove the old one later"
LOCKED = "it locks the table while it reads all of it"
OF_PYTHON_ALONE = {
    *("choices", "blank", "default", "validators", "help_text", "verbose_name", "related_name", "related_query_name"),
    *("on_delete", "editable", "error_messages", "serialize", "limit_choices_to", "auto_now", "auto_now_add"),
}


def objections(migration: Migration, operation: Operation, state: ProjectState, new: set[str]) -> Iterator[str]:
    """Give each reason why the operation is not safe. new: models that this migration has made, in lower case."""
    model = str(getattr(operation, "model_name", getattr(operation, "name", ""))).lower()
    if not operation.reversible:
        yield "it cannot be taken back"
    if isinstance(operation, migrations.SeparateDatabaseAndState):
        for inner in operation.database_operations:
            yield from objections(migration, inner, state, new)
    elif isinstance(operation, migrations.RunPython):
        if any(not isinstance(other, migrations.RunPython) for other in migration.operations):
            yield "rows are changed in a migration of their own, so that no lock is held meanwhile"
    elif isinstance(operation, HARMLESS) or model in new:
        return
    else:
        yield from _of_a_table_in_use(migration, operation, state)


def _of_a_table_in_use(migration: Migration, operation: Operation, state: ProjectState) -> Iterator[str]:
    match operation:
        case AddIndexBeside() | RemoveIndexBeside():
            if migration.atomic:
                yield "an index is built beside the work outside a transaction alone: atomic = False"
        case migrations.AddIndex():
            yield f"{LOCKED}; use backend.unlocked_indexes.AddIndexBeside"
        case migrations.AddField():
            yield from _added(operation.field)
        case migrations.AlterField():
            before = state.models[migration.app_label, operation.model_name_lower].get_field(operation.name)
            yield from _altered(before, operation.field)
        case migrations.RemoveField() | migrations.DeleteModel():
            yield GONE
        case migrations.RenameField() | migrations.RenameModel() | migrations.AlterModelTable():
            yield RENAMED
        case migrations.AddConstraint():
            yield f"{LOCKED}, and what the version before writes may not fit"
        case _:
            yield "this test does not know it"


def _added(field: Any) -> Iterator[str]:
    if field.many_to_many:
        return
    if not field.null and field.db_default is NOT_PROVIDED:
        # A `default` is Python's; the column has none once the migration is over.
        yield "the version before writes rows without it: null=True, or db_default"
    if field.unique or field.db_index:
        yield f"{LOCKED} for its index: db_index=False, and AddIndexBeside in a later migration"


def _altered(before: Any, after: Any) -> Iterator[str]:
    _, kind, arguments, options = before.deconstruct()
    _, new_kind, new_arguments, new_options = after.deconstruct()
    if (kind, arguments) != (new_kind, new_arguments):
        yield "it writes every row anew, under a lock: add another column"
        return
    names = {*options, *new_options} - OF_PYTHON_ALONE
    changed = {name for name in names if options.get(name) != new_options.get(name)}
    if "null" in changed and not after.null:
        yield "the version before may write it empty, and the table is read under a lock"
    if "max_length" in changed and (after.max_length or 0) < (before.max_length or 0):
        yield "the version before may write longer ones"
    if "db_default" in changed and after.db_default is NOT_PROVIDED:
        yield "the version before may rely on the database's default"
    if ("unique" in changed and after.unique) or ("db_index" in changed and after.db_index):
        yield f"{LOCKED} for its index; use AddIndexBeside"
    if "db_constraint" in changed and after.db_constraint:
        yield f"{LOCKED}, and rows of the version before may refer to what is gone"
    if strange := changed - {"null", "max_length", "db_default", "unique", "db_index", "db_constraint"}:
        yield f"this test does not know what a change of {', '.join(sorted(strange))} does"
