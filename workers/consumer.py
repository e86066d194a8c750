"""The part of a worker's main process that takes messages, with one thing changed: it sends its events together.

Celery publishes the events of tasks at every turn of its loop, which takes a third of that process' time. Flower and
everybody else who listens sees the same events, with the times at which they happened, up to PAUSE later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery.worker.consumer import Consumer as CelerysConsumer

PAUSE = 0.1
"""Seconds that events of tasks are collected for."""


class Consumer(CelerysConsumer):
    """Celery's consumer; `worker_consumer` in celeryconfig.py names it."""

    hub: Any
    _flush_events: Callable[[], None]

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  (Celery's signature)
        self._flush_is_due = False
        super().__init__(*args, **kwargs)

    def on_send_event_buffered(self) -> Any:  # noqa: ANN401  (Celery's types say that it gives a callback)
        """Have the events sent in a moment, with those that come until then."""
        if self.hub and not self._flush_is_due:
            self._flush_is_due = True
            self.hub.call_later(PAUSE, self._flush_collected)

    def _flush_collected(self) -> None:
        self._flush_is_due = False
        self._flush_events()

    def shutdown(self) -> None:
        """Send what was collected, and end."""
        self._flush_events()
        super().shutdown()
