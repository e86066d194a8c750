"""JSON as people read it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

LONGEST = 60_000
"""Characters that a page shows of one value; the whole is in the API."""


@dataclass(frozen=True)
class Shown:
    """A value as text. cut: whether there is more of it."""

    text: str
    cut: bool
    empty: bool


def whole(value: Any) -> str:  # noqa: ANN401  (JSON)
    """Return a value as indented JSON. What UTF-8 has no bytes for is shown by its number."""
    return json.dumps(value, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()


def pretty(value: Any) -> Shown:  # noqa: ANN401  (JSON)
    """Return as much of a value as a page shows."""
    text = whole(value)
    return Shown(text[:LONGEST], cut=len(text) > LONGEST, empty=value in (None, {}, [], ""))
