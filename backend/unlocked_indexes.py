"""For migrations: adds and removes indexes of tables that are being written to, without holding the writers up.

PostgreSQL builds such an index beside the work that goes on; SQLite has one writer anyway. What else a migration may do
while processes of the version before run is in docs/guides/upgrade.md, and a test holds all migrations to it.
"""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db.migrations.operations import AddIndex, RemoveIndex

LOCK_PATIENCE = 10
"""Seconds that a migration waits for a lock on PostgreSQL. While it waits, everybody else waits behind it."""


class AddIndexBeside(AddIndexConcurrently):
    """Adds an index without locking the table where the database can. Its migration says `atomic = False`.

    What an interrupted attempt left, an index that PostgreSQL calls invalid, is built anew.
    """

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:  # noqa: ANN401
        """Add the index."""
        if _beside(schema_editor):
            # It waits for every transaction that began before it, for however long they take, and holds nobody up.
            schema_editor.execute("SET lock_timeout = 0")
            schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {schema_editor.quote_name(self.index.name)}")
            AddIndexConcurrently.database_forwards(self, app_label, schema_editor, from_state, to_state)
            schema_editor.execute(f"SET lock_timeout = '{LOCK_PATIENCE}s'")
        else:
            AddIndex.database_forwards(self, app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:  # noqa: ANN401
        """Remove the index."""
        kind = AddIndexConcurrently if _beside(schema_editor) else AddIndex
        kind.database_backwards(self, app_label, schema_editor, from_state, to_state)


class RemoveIndexBeside(RemoveIndexConcurrently):
    """Removes an index likewise."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:  # noqa: ANN401
        """Remove the index."""
        kind = RemoveIndexConcurrently if _beside(schema_editor) else RemoveIndex
        kind.database_forwards(self, app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:  # noqa: ANN401
        """Add the index."""
        kind = RemoveIndexConcurrently if _beside(schema_editor) else RemoveIndex
        kind.database_backwards(self, app_label, schema_editor, from_state, to_state)


def _beside(schema_editor: Any) -> bool:  # noqa: ANN401
    return bool(schema_editor.connection.vendor == "postgresql")
