"""The part of a worker's main process that takes messages, with three things changed.

It sends its events together. Celery publishes the events of tasks at every turn of its loop, which takes a third of
that process' time. Flower and everybody else who listens sees the same events, with the times at which they happened,
up to PAUSE later.

It gives a message that carries a task's former name the present one before anybody reads it, so that the work, the
history and Flower know one name.

And a file tells that it lives (`liveness`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery.worker.consumer import Consumer as CelerysConsumer

from backend.apps.workflows.former_names import FORMER_NAMES, current_description, current_name
from workers.liveness import Liveness

# The types of Celery take it for a variable.
CELERYS_BLUEPRINT: Any = CelerysConsumer.Blueprint
PAUSE = 0.1
"""Seconds that events of tasks are collected for."""


class Consumer(CelerysConsumer):
    """Celery's consumer; `worker_consumer` in celeryconfig.py names it."""

    class Blueprint(CELERYS_BLUEPRINT):  # type: ignore[misc]
        """Celery's steps, and ours."""

        default_steps = (*CELERYS_BLUEPRINT.default_steps, Liveness)

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

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:  # noqa: ANN401  (Celery's)
        """Return what takes a message."""
        take: Callable[[Any], Any] = super().create_task_handler(*args, **kwargs)

        def take_renamed(message: Any) -> Any:  # noqa: ANN401  (kombu's Message)
            headers = message.headers or {}
            if headers.get("task") in FORMER_NAMES:
                headers["task"] = current_name(headers["task"])
                headers["argsrepr"] = current_description(str(headers.get("argsrepr", "")))
            return take(message)

        return take_renamed

    def _flush_collected(self) -> None:
        self._flush_is_due = False
        self._flush_events()

    def shutdown(self) -> None:
        """Send what was collected, and end."""
        self._flush_events()
        super().shutdown()
