"""Migrations can be applied while the version before runs, but for those that are marked as the second of two steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration
from django.db.migrations.state import ModelState, ProjectState

from backend.apps.authentication.models import User
from backend.unlocked_indexes import AddIndexBeside, RemoveIndexBeside
from tests.unit.config.migration_rules import objections

FIRST_RELEASE = {
    "agents": "0001",
    "api": "0002",
    "authentication": "0002",
    "credentials": "0001",
    "exports": "0003",
    "metrics": "0001",
    "projects": "0004",
    "workflows": "0009",
}
"""Up to these, nobody can have run the version before."""


def own_migrations() -> Iterator[tuple[str, Migration, ProjectState]]:
    """Every migration of ours, in the order in which they are applied, with the state before it."""
    loader = MigrationLoader(None)
    ours = {config.label for config in apps.get_app_configs() if config.name.startswith("backend.")}
    state = ProjectState()
    done: set[tuple[str, str]] = set()
    for leaf in sorted(loader.graph.leaf_nodes()):
        for key in loader.graph.forwards_plan(leaf):
            if key in done:
                continue
            done.add(key)
            migration = loader.graph.nodes[key]
            if key[0] in ours:
                yield f"{key[0]}.{key[1]}", migration, state.clone()
            state = migration.mutate_state(state, preserve=False)


def objections_to(migration: Migration, state: ProjectState) -> list[str]:
    """What speaks against applying it while the version before runs."""
    found: list[str] = []
    new: set[str] = set()
    for operation in migration.operations:
        found += [f"{operation.describe()}: {objection}" for objection in objections(migration, operation, state, new)]
        if isinstance(operation, migrations.CreateModel):
            new.add(operation.name_lower)
        operation.state_forwards(migration.app_label, state)
    return found


def test_each_can_be_applied_while_the_version_before_runs() -> None:
    found: dict[str, list[str]] = {}
    seen = 0
    for name, migration, state in own_migrations():
        seen += 1
        label, _, number = name.partition(".")
        contracts = getattr(migration, "contracts", None)
        assert contracts is None or (isinstance(contracts, str) and len(contracts) > 20), (
            f"{name}: `contracts` says in which version, and why, nothing uses any more what it takes away"
        )
        if number[:4] <= FIRST_RELEASE.get(label, "0000") or contracts:
            continue
        if against := objections_to(migration, state):
            found[name] = against
    assert seen >= 20
    assert not found, "see docs/guides/upgrade.md"


def test_the_first_release_names_migrations_that_there_are() -> None:
    there = {(name.partition(".")[0], name.partition(".")[2][:4]) for name, _, _ in own_migrations()}
    assert set(FIRST_RELEASE.items()) <= there


NOTE = ModelState(
    "app",
    "Note",
    [
        ("id", models.BigAutoField(primary_key=True)),
        ("text", models.CharField(max_length=100)),
        ("words", models.IntegerField(null=True)),
        ("kind", models.CharField(max_length=10, db_default="plain")),
        ("before", models.ForeignKey("app.Note", models.CASCADE, null=True)),
        ("after", models.ForeignKey("app.Note", models.CASCADE, null=True, db_constraint=False)),
    ],
)
INDEX = models.Index(fields=["text"], name="by_text")
UNIQUE = models.UniqueConstraint(fields=["text"], name="one_text")


def nothing(*_: Any) -> None:
    """Change no rows."""


@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddField("note", "extra", models.TextField(null=True)),
        migrations.AddField("note", "extra", models.TextField(db_default="", default="")),
        migrations.AddField("note", "others", models.ManyToManyField("app.Note")),
        migrations.AddField("note", "other", models.ForeignKey("app.Note", models.CASCADE, null=True, db_index=False)),
        migrations.AlterField("note", "text", models.CharField(max_length=200, default="", help_text="Longer.")),
        migrations.AlterField("note", "text", models.CharField(max_length=100, null=True)),
        migrations.AlterField(
            "note", "before", models.ForeignKey("app.Note", models.DO_NOTHING, null=True, db_constraint=False)
        ),
        migrations.AlterModelOptions("note", {"ordering": ["text"]}),
        migrations.RunPython(nothing, nothing),
        AddIndexBeside("note", INDEX),
        RemoveIndexBeside("note", "by_text"),
        migrations.CreateModel("Other", [("id", models.BigAutoField(primary_key=True))]),
    ],
    ids=lambda operation: operation.describe()[:60],
)
def test_what_is_safe(operation: Any) -> None:
    assert not objections_to(made(operation, atomic=False), state())


@pytest.mark.parametrize(
    ("operation", "because"),
    [
        (migrations.AddField("note", "extra", models.TextField(default="")), "db_default"),
        (migrations.AddField("note", "extra", models.TextField(null=True, unique=True)), "locks the table"),
        (migrations.AddField("note", "other", models.ForeignKey("app.Note", models.CASCADE, null=True)), "AddIndexBes"),
        (migrations.RemoveField("note", "text"), "still use it"),
        (migrations.DeleteModel("Note"), "still use it"),
        (migrations.RenameField("note", "text", "body"), "old name"),
        (migrations.RenameModel("Note", "Memo"), "old name"),
        (migrations.AlterModelTable("note", "memo"), "old name"),
        (migrations.AlterField("note", "words", models.IntegerField()), "write it empty"),
        (migrations.AlterField("note", "words", models.TextField(null=True)), "every row anew"),
        (migrations.AlterField("note", "text", models.CharField(max_length=50)), "longer ones"),
        (migrations.AlterField("note", "text", models.CharField(max_length=100, db_index=True)), "AddIndexBeside"),
        (migrations.AlterField("note", "kind", models.CharField(max_length=10)), "database's default"),
        (migrations.AlterField("note", "after", models.ForeignKey("app.Note", models.CASCADE, null=True)), "is gone"),
        (migrations.AddIndex("note", INDEX), "AddIndexBeside"),
        (migrations.AddConstraint("note", UNIQUE), "may not fit"),
        (migrations.RunSQL("DROP TABLE note", "SELECT 1"), "does not know"),
        (migrations.RunPython(nothing), "taken back"),
        (migrations.SeparateDatabaseAndState([migrations.RemoveField("note", "text")]), "still use it"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.describe()[:60],
)
def test_what_is_not(operation: Any, because: str) -> None:
    found = objections_to(made(operation, atomic=False), state())
    assert any(because in objection for objection in found), found


def test_an_index_is_built_beside_outside_a_transaction_alone() -> None:
    assert objections_to(made(AddIndexBeside("note", INDEX), atomic=True), state())


def test_rows_and_tables_are_changed_apart() -> None:
    both = made(
        migrations.AddField("note", "extra", models.TextField(null=True)), migrations.RunPython(nothing, nothing)
    )
    assert any("of their own" in objection for objection in objections_to(both, state()))


def test_a_table_of_the_same_migration_is_nobodys_yet() -> None:
    other = migrations.CreateModel("Other", [("id", models.BigAutoField(primary_key=True))])
    assert not objections_to(made(other, migrations.AddField("other", "text", models.TextField(default=""))), state())


def made(*operations: Any, atomic: bool = True) -> Migration:
    """A migration of these operations."""
    kind = type("Migration", (Migration,), {"operations": list(operations), "atomic": atomic})
    migration: Migration = kind("0009_next", "app")
    return migration


def state() -> ProjectState:
    """The tables before it."""
    before = ProjectState()
    before.add_model(NOTE.clone())
    return before


@pytest.mark.django_db(transaction=True)
def test_an_index_beside_is_added_also_where_an_interrupted_attempt_left_a_broken_one() -> None:
    index = models.Index(fields=["username", "date_joined"], name="half_built")
    operation = AddIndexBeside("user", index)
    before = MigrationLoader(connection).project_state()
    after = before.clone()
    operation.state_forwards("authentication", after)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE INDEX half_built ON {User._meta.db_table} (username)")
    with connection.schema_editor(atomic=False) as editor:
        operation.database_forwards("authentication", editor, before, after)
    try:
        assert columns_of("half_built") == ["username", "date_joined"]
    finally:
        with connection.schema_editor(atomic=False) as editor:
            operation.database_backwards("authentication", editor, after, before)
    assert columns_of("half_built") is None


def columns_of(index: str) -> list[str] | None:
    """The columns of an index of the users' table; None where there is no such index."""
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, User._meta.db_table)
    return found[index]["columns"] if index in found else None
