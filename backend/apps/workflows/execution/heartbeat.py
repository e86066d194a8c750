"""Looks after a task from a thread of its own while the work goes on: extends its lease, and notices when to stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from uuid import UUID

from django.db import Error, connection
from django.utils import timezone

from backend.apps.workflows.execution.claim import Standing, extend_lease, lease_duration, standing_of
from backend.apps.workflows.execution.persistence import drop_connection
from backend.failpoints import Failpoint, reached

logger = logging.getLogger(__name__)

BEATS_PER_LEASE = 3
LONGEST_PAUSE = 2.0
"""Seconds. A request to stop is noticed within this."""
PATIENCE = 10.0
"""Seconds until work that was interrupted and goes on is interrupted again; tidying up must fit into it."""


def _nobody() -> None:
    return


class Heartbeat:
    """A context in which one attempt keeps its lease, and is told to stop where it has to.

    `lost` becomes true when another worker has taken the task over, `cancelled` when somebody cancelled it; `interrupt`
    is called then. One thread of the process beats for all attempts under way and ends with the last of them, and it
    looks at none that has just begun: short tasks pay for neither a thread nor a query.
    """

    def __init__(self, task_id: UUID, *, attempt: int, interrupt: Callable[[], None] = _nobody) -> None:
        self.task_id = task_id
        self.attempt = attempt
        self.lost = False
        self.cancelled = False
        self._interrupt = interrupt
        self._interrupted: float | None = None
        self._looked = self._extended = time.monotonic()
        self._over = False
        self._mutex = threading.Lock()

    def __enter__(self) -> Heartbeat:
        try:
            _beats.add(self)
        except BaseException:
            # A time limit that strikes here would leave a lease that is extended for ever, for work that nobody does.
            _beats.remove(self)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _beats.remove(self)
        # Whoever is looking just now finishes first: nothing is interrupted after this.
        with self._mutex:
            self._over = True

    def beat(self, *, lease: float, pause: float) -> None:
        """Look after the attempt, if that is due; called by the thread that beats."""
        with self._mutex:
            if self._over or time.monotonic() - self._looked < pause:
                return
            self._looked = time.monotonic()
            self._look(due=lease / BEATS_PER_LEASE - pause / 2)
            if self.lost or self.cancelled:
                self._stop_work()

    def _look(self, *, due: float) -> None:
        """See how the task stands, and extend its lease when that was done `due` seconds ago."""
        reached(Failpoint.HEARTBEAT)
        try:
            standing = standing_of(self.task_id, attempt=self.attempt)
            # Also where it is to stop: tidying up takes a while, and the outcome is still to be written.
            if standing is not Standing.LOST and time.monotonic() - self._extended >= due and not self._extend():
                standing = Standing.LOST
        except Error:
            # The database may be back before the lease runs out; if not, the fence decides.
            logger.warning("task %s: the lease could not be extended; the database did not answer", self.task_id)
            drop_connection()
            return
        self.lost = standing is Standing.LOST
        self.cancelled = self.cancelled or standing is Standing.TO_STOP

    def _extend(self) -> bool:
        self._extended = time.monotonic()
        return extend_lease(self.task_id, attempt=self.attempt, now=timezone.now())

    def _stop_work(self) -> None:
        now = time.monotonic()
        if self._interrupted is not None and now - self._interrupted < PATIENCE:
            return
        self._interrupted = now
        why = "has been overtaken" if self.lost else "is to stop"
        logger.warning("task %s: attempt %d %s", self.task_id, self.attempt, why)
        self._interrupt()


class _Beats:
    """The thread that beats, and the attempts that it beats for. It lives only while there are some."""

    def __init__(self) -> None:
        self._attempts: set[Heartbeat] = set()
        self._mutex = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, heartbeat: Heartbeat) -> None:
        with self._mutex:
            self._attempts.add(heartbeat)
            # After a fork the parent's thread is not alive in the child.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
                self._thread.start()

    def remove(self, heartbeat: Heartbeat) -> None:
        with self._mutex:
            self._attempts.discard(heartbeat)

    def _run(self) -> None:
        try:
            while attempts := self._under_way():
                lease = lease_duration().total_seconds()
                pause = min(lease / BEATS_PER_LEASE, LONGEST_PAUSE)
                for heartbeat in attempts:
                    heartbeat.beat(lease=lease, pause=pause)
                time.sleep(pause / 2)
        finally:
            connection.close()

    def _under_way(self) -> list[Heartbeat]:
        with self._mutex:
            if not self._attempts:
                self._thread = None
            return list(self._attempts)


_beats = _Beats()
