"""What this thread works on just now: put on every log line that is written meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_about: ContextVar[dict[str, str] | None] = ContextVar("about", default=None)


@contextmanager
def about(**facts: object) -> Iterator[dict[str, str]]:
    """Name what the block works on, such as `task`, `run` or `step`; more may be added to what is yielded."""
    known = {**(_about.get() or {}), **{name: str(value) for name, value in facts.items() if value is not None}}
    token = _about.set(known)
    try:
        yield known
    finally:
        _about.reset(token)


def known() -> dict[str, str]:
    """Return what this thread works on."""
    return _about.get() or {}
