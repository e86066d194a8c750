"""Does each periodic task in a process that ends with it, so that a worker without work stays as small as it began.

Python counts references in what it reads. A pool process that looks for something to do every few seconds thereby gets
a copy of its own of all that it shared with its worker: 24 MB of two pool processes, for nothing that anybody
uses (docs/decisions/0064-what-a-worker-loads.md). A fork takes some milliseconds, and gives all of it back.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, NoReturn

from celery import Task
from django.db import connections
from kombu import pools

from backend.config.celery import app
from backend.config.parent_death import die_with_parent
from backend.telemetry import tracing
from workers.pool_process import in_pool_process

logger = logging.getLogger(__name__)

FAILED = 1
_kept: list[object] = []


class MaintenanceTask(Task[Any, Any]):
    """The base of the periodic tasks. Outside of a pool process, and not on Linux, each is done where it is called."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  (Celery's signature)
        """Do the task. What it raises is logged by the process that did it."""
        if not in_pool_process() or sys.platform != "linux":
            self.run(*args, **kwargs)
            return
        status = in_a_process(lambda: self.run(*args, **kwargs), name=str(self.name))
        if status < 0:
            logger.error("%s was ended by %s", self.name, signal.Signals(-status).name)


def in_a_process(work: Callable[[], object], *, name: str) -> int:
    """Do `work` in a fork of this process and wait for its end; return its status, negative for a signal's number.

    The process ends with this one, and with whatever interrupts the waiting, as Celery's time limit does.
    """
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _be_the_process(work, name=name, parent=parent)
    status = None
    try:
        _, status = os.waitpid(pid, 0)
    finally:
        if status is None:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def _be_the_process(work: Callable[[], object], *, name: str, parent: int) -> NoReturn:
    # Nothing may return or raise out of here: above lies the stack of the process that was forked.
    status = FAILED
    try:
        die_with_parent(parent=parent)
        status = do(work, name=name)
    except BaseException:
        logger.exception("%s could not be begun", name)
    finally:
        os._exit(status)


def do(work: Callable[[], object], *, name: str) -> int:
    """Do `work` with connections of its own and return the status of the process that was made for it.

    What a library keeps for each thread, as Django does its database's connections and a client of S3 its own, belongs
    to the process that was forked: one connection cannot serve two. So the work gets a thread.
    """
    _forget_the_brokers_connections()
    done: list[bool] = []

    def run() -> None:
        try:
            work()
            done.append(True)
        except Exception:
            logger.exception("%s failed", name)
        finally:
            connections.close_all()
            tracing.flush()

    thread = threading.Thread(target=run, name=name)
    thread.start()
    thread.join()
    return 0 if done else FAILED


def _forget_the_brokers_connections() -> None:
    # Kept, and not closed: to close one would end it for the process that was forked, too.
    for group in (pools.producers, pools.connections):
        _kept.append(dict(group))
        group.clear()
    app._after_fork()  # type: ignore[attr-defined]  # what a pool process does at its start; not in the types
