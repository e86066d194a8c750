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
        self._serving: Counter[str] = Counter()

    def serving(self) -> dict[str, int]:
        """Return, by queue, how many workers serve it and answered."""
        with self._mutex:
            if time.monotonic() - self._asked > REMEMBERED:
                self._serving = self._ask()
                self._asked = time.monotonic()
            return {queue: self._serving[queue] for queue in queues()}

    def _ask(self) -> Counter[str]:
        try:
            answers = app.control.inspect(timeout=PATIENCE).active_queues() or {}
        except UNANSWERED:
            return Counter()
        return Counter(queue["name"] for served in answers.values() for queue in served)


workers = Workers()
