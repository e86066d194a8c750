"""Reads ids that come as text, in a task's arguments or elsewhere. It does not ask whether there is such a thing."""

from __future__ import annotations

from uuid import UUID

from backend.errors import InvalidInput


def read_id(text: str, *, field: str) -> UUID:
    """Return the id. field: where it stands. Raises InvalidInput for what is none."""
    try:
        return UUID(text)
    except (ValueError, AttributeError) as error:
        raise InvalidInput(f"There is no id {str(text)[:100]!r}.", field=field, expected="a UUID") from error
