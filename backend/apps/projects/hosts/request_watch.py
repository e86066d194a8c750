"""Who is asked before each request to a host's API, and told of each answer: whoever paces them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from backend.apps.projects.hosts.answers import Answer


class Watcher(Protocol):
    """Who is asked before each request to a host's API, and told of each answer."""

    def before(self, method: str) -> None:
        """Raise what keeps the request from being sent."""

    def after(self, answer: Answer) -> None:
        """Learn from an answer, whatever it is."""


_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Have all requests of this thread watched. The clients make their own sessions, so none can be given one."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def watcher() -> Watcher | None:
    """Return who watches this thread's requests, if anybody does."""
    return _watcher.get()
