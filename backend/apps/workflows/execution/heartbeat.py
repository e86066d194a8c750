"""Extends a task's lease from a thread of its own while the work goes on."""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from uuid import UUID

from django.db import DatabaseError, connection
from django.utils import timezone

from backend.apps.workflows.execution.claim import extend_lease, lease_duration

logger = logging.getLogger(__name__)

BEATS_PER_LEASE = 3


class Heartbeat:
    """A context in which the lease of one attempt is extended three times per lease.

    `lost` becomes true when another worker has taken the task over. The thread opens a database connection only when
    it first beats, so short tasks pay for a thread and nothing else.
    """

    def __init__(self, task_id: UUID, *, attempt: int) -> None:
        self.task_id = task_id
        self.attempt = attempt
        self.lost = False
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat-{task_id}", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _beat(self) -> None:
        pause = lease_duration().total_seconds() / BEATS_PER_LEASE
        try:
            while not self._done.wait(pause):
                if not self._extend():
                    self.lost = True
                    logger.warning("task %s: attempt %d has been overtaken", self.task_id, self.attempt)
                    return
        finally:
            connection.close()

    def _extend(self) -> bool:
        try:
            return extend_lease(self.task_id, attempt=self.attempt, now=timezone.now())
        except DatabaseError:
            # The database may be back before the lease runs out; if not, the fence decides.
            logger.warning("task %s: the lease could not be extended; the database did not answer", self.task_id)
            connection.close()
            return True
