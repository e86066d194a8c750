"""Lets whoever watches a worker see that it lives: a file that is touched while the worker has its broker.

To ask a worker over the broker starts a Python with all of Celery, each time. A file's age costs nothing, and says the
same: the loop that takes messages turns, and its connection stands. It does not say that the work gets done; that is
seen in the database (`repomill doctor`, `/readyz`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from celery import bootsteps

from backend.config.environment import load

PAUSE = 10.0
"""Seconds between two touches."""


class Liveness(bootsteps.StartStopStep):
    """Touches REPOMILL_ALIVE_FILE; a step of the consumer, which is stopped whenever the broker is lost."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:  # noqa: ANN401  (Celery's signature)
        super().__init__(parent, **kwargs)
        self.file: Path | None = load().alive_file
        self.enabled = self.file is not None
        self.timer: Any = None

    def start(self, parent: Any) -> None:  # noqa: ANN401  (Celery's consumer)
        """Touch the file now, and again and again."""
        self._touch()
        self.timer = parent.timer.call_repeatedly(PAUSE, self._touch)

    def stop(self, parent: Any) -> None:  # noqa: ANN401, ARG002  (Celery's consumer)
        """Leave the file to grow old."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def _touch(self) -> None:
        if self.file is not None:
            self.file.touch()
