"""Asked by whoever is about to change something: is it still theirs to do?

An attempt that was overtaken while it was stopped does not know of it. A task's fence asks the database which attempt
is the newest; what nobody can overtake has none.
"""

from __future__ import annotations

from collections.abc import Callable

Fence = Callable[[], None]
"""Raises Overtaken where another attempt does this by now, and else does nothing."""


def no_fence() -> None:
    """Let everything pass: for what is no task's."""
