"""Which queues have workers that answer: asked of the workers themselves, and remembered for a while."""

from __future__ import annotations

import threading
import time
from collections import Counter

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from backend.config.celery import app

UNANSWERED = (OperationalError, RedisError, OSError)
PATIENCE = 1.0
"""Seconds that workers have to answer."""
REMEMBERED = 15.0
"""Seconds for which their answer is believed: it costs all of that patience."""


def queues() -> list[str]:
    """Return the names of all queues."""
    return [queue.name for queue in app.conf.task_queues]


class Workers:
    """Which queues have workers that answer. The answer is remembered for a while."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._asked = float("-inf")
        self._queues: dict[str, list[str]] = {}

    def serving(self) -> dict[str, int]:
        """Return, by queue, how many workers serve it and answered."""
        serving = Counter(queue for served in self.by_name().values() for queue in served)
        return {queue: serving[queue] for queue in queues()}

    def by_name(self) -> dict[str, list[str]]:
        """Return the workers that answered, by name, and which queues each serves."""
        with self._mutex:
            if time.monotonic() - self._asked > REMEMBERED:
                self._queues = self._ask()
                self._asked = time.monotonic()
            return dict(self._queues)

    def _ask(self) -> dict[str, list[str]]:
        try:
            answers = app.control.inspect(timeout=PATIENCE).active_queues() or {}
        except UNANSWERED:
            return {}
        return {worker: [queue["name"] for queue in served] for worker, served in answers.items()}


workers = Workers()
