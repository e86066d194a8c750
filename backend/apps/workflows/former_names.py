"""What tasks were called in earlier versions. A name is permanent, so a renamed task answers to its old name for ever.

Messages, rows and clients of the version before may all carry the old name. Each is translated where it comes in: a
message by the worker's consumer, a row as it is read, a client's call before it is recorded. Past lines of a history
stay as they were written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

if TYPE_CHECKING:
    Text = models.CharField[str, str]
else:
    Text = models.CharField

FORMER_NAMES: dict[str, str] = {}
"""The old name of each task that was renamed, and its name now: {"generation.make": "generation.generate"}."""
SEPARATOR = " · "


def current_name(name: str) -> str:
    """Return what the task of this name is called now."""
    return FORMER_NAMES.get(name, name)


def names_of(name: str) -> list[str]:
    """Return the task's present name and all its former ones: rows may have any of them."""
    now = current_name(name)
    return [now, *(old for old, new in FORMER_NAMES.items() if new == now)]


def current_description(description: str) -> str:
    """Return what operators read of a task, which ends in its name, with the name it has now."""
    before, separator, name = description.rpartition(SEPARATOR)
    return before + separator + current_name(name)


class TaskName(Text):
    """A column with the name of a task. Rows of earlier versions are read with the name that the task has now."""

    def from_db_value(
        self,
        value: str,
        expression: object,  # noqa: ARG002  (Django's signature)
        connection: BaseDatabaseWrapper,  # noqa: ARG002
    ) -> str:
        """Return the present name."""
        return current_name(value)

    def deconstruct(self) -> tuple[str, str, list[object], dict[str, object]]:
        """Say to migrations that this is an ordinary column of text."""
        name, _, arguments, options = super().deconstruct()
        return name, "django.db.models.CharField", list(arguments), options
