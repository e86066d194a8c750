"""Lets a worker stop within a set time: SIGTERM lets work finish, and what has not by then is handed back.

Celery's own warm shutdown waits for as long as the work takes, and its soft one keeps a worker waiting that has nothing
to do any more, then kills. Here the worker stops warmly, and only what is still under way at the end of the time is
interrupted, in its pool process, which puts the row back and sends for another worker.
"""

from __future__ import annotations

import logging
import mmap
import os
import signal
import threading
import time
from contextlib import suppress
from typing import Any

from celery.signals import worker_shutting_down
from celery.worker import state

from backend.config.environment import load

logger = logging.getLogger(__name__)

SIGNAL = signal.SIGUSR2
PATIENCE = 2.0
"""Seconds until work that was interrupted and goes on is interrupted again."""

# Shared with the pool processes, which are forked later: they see what the main process writes.
_over = mmap.mmap(-1, 1)


def draining_is_over() -> bool:
    """Say whether the time is over in which this worker's tasks could finish."""
    return _over[0] != 0


@worker_shutting_down.connect
def _begin(how: str = "", **_: Any) -> None:  # noqa: ANN401  (what the signal sends)
    """Count the time from here; a cold shutdown does not wait at all."""
    if how.lower() == "warm":
        threading.Thread(target=_drain, name="draining", daemon=True).start()


def _drain() -> None:
    time.sleep(load().drain_seconds)
    _over[0] = 1
    # The main process ends when its pool has; this thread ends with it.
    while True:
        for request in tuple(state.active_requests):
            pid = request.worker_pid
            if pid and pid != os.getpid():
                logger.warning("task %s is handed back, because its worker stops", request.id)
                with suppress(ProcessLookupError):
                    os.kill(pid, SIGNAL)
        time.sleep(PATIENCE)
