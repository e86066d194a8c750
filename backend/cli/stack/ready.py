"""Finds out when the stack is ready: every part has answered once.

The questions are asked in a thread, because they wait for answers; the supervisor looks at the result.
"""

from __future__ import annotations

import socket
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException

from backend.cli.stack.processes import WORKER_QUEUES
from backend.cli.stack.settings import StackSettings

PATIENCE = 60.0
"""Seconds after which what has not answered is named."""

PAUSE = 0.15
"""Seconds between two questions."""


@dataclass(frozen=True)
class Readiness:
    """How the wait ended."""

    seconds: float
    missing: tuple[str, ...]
    """Who did not answer in time; empty when the stack is ready."""


class ReadinessWatch:
    """Asks every part of a stack until all have answered or the patience is over."""

    def __init__(self, settings: StackSettings, *, began: float, patience: float = PATIENCE) -> None:
        """Prepare.

        began: when the stack's start began, on the monotonic clock; what `Readiness.seconds` counts from.
        patience: seconds, counted from `start`.
        """
        self._began = began
        self._questions = questions(settings)
        self._patience = patience
        self._result: Readiness | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._ask, name="readiness", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Stop asking, and wait for the answer to the last question."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def result(self) -> Readiness | None:
        """Return how it ended, or None while it has not; never blocks."""
        return self._result

    def _ask(self) -> None:
        began = time.monotonic()
        missing = dict(self._questions)
        while missing and time.monotonic() - began < self._patience and not self._stopped.wait(PAUSE):
            missing = {name: question for name, question in missing.items() if not question()}
        self._result = Readiness(seconds=time.monotonic() - self._began, missing=tuple(missing))


def questions(settings: StackSettings) -> dict[str, Callable[[], bool]]:
    """Return, by name, the questions that tell whether a part is ready."""
    asked: dict[str, Callable[[], bool]] = {"web": lambda: answers(f"{settings.web_url}/healthz")}
    if settings.flower_port is not None:
        asked["flower"] = lambda: answers(f"{settings.flower_url}healthcheck")
    workers = worker_names()
    asked["workers"] = lambda: set(workers) <= answering_workers(workers)
    return asked


def answers(url: str, *, timeout: float = 1.0) -> bool:
    """Say whether a URL of this machine answers with success, without any proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=timeout) as response:
            return bool(response.status == 200)
    except (OSError, HTTPException, ValueError):
        # Nobody is there, or somebody who speaks no HTTP, or there can be nobody of this name.
        return False


def worker_names() -> list[str]:
    """Return the names that the stack's workers have for Celery on this machine."""
    return [f"{name}@{socket.gethostname()}" for name in WORKER_QUEUES]


def answering_workers(names: list[str], *, timeout: float = 1.0) -> set[str]:
    """Return which of the workers answer a ping within `timeout` seconds; none when the broker cannot be reached."""
    from kombu.exceptions import OperationalError
    from redis.exceptions import RedisError

    from backend.config.celery import app

    try:
        replies = app.control.ping(destination=names, timeout=timeout) or []
    except (OperationalError, RedisError, OSError):
        return set()
    return {name for reply in replies for name in reply}
