"""Interrupts the task that a pool process is working on, by a signal to its main thread.

A signal of its own, and not the one of Celery's soft time limit: that one's handler raises whenever it arrives, and
one that arrives a moment late would hit the write-back, or the next task. This handler raises only while the work that
was meant is being done; the flag that says so is read and written by the main thread alone, in which Python runs all
handlers, so there is no moment in between.

A handler raises in the middle of whatever a library does just then, and some of what they do makes another exception
of it: a task group wraps it, and a class whose body is being executed makes a RuntimeError of it. That other one says
nothing of the work, so it gives way to what was raised; the same holds for the pool's own exit at SIGTERM.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType

from billiard.common import terminate_handler_fired  # type: ignore[attr-defined]  # newer than its types

from backend.apps.workflows.execution.interruption import Interrupted, Interruption, Uninterruptible, WorkerStops
from workers.draining import draining_is_over
from workers.pool_process import in_pool_process

SIGNAL = signal.SIGUSR2


def interruption() -> Interruption:
    """Return how work in this process is interrupted: only in a pool process is the signal ours to take."""
    return MainThread() if in_pool_process() else Uninterruptible()


class MainThread:
    """Work of the main thread that another thread can interrupt."""

    _current: MainThread | None = None

    def __init__(self) -> None:
        self._wanted = False
        self._raised: Interrupted | None = None
        self._main = threading.main_thread().ident or 0

    def __enter__(self) -> MainThread:
        # Here and not at the start of the process: the pool resets signals after its initializers. The handler stays,
        # since a late signal that found none would end the process.
        signal.signal(SIGNAL, _on_signal)
        if draining_is_over():
            # It was waiting in this process already when the worker was asked to stop.
            raise WorkerStops
        MainThread._current = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        MainThread._current = None
        if error is None:
            return
        if terminate_handler_fired() and not isinstance(error, SystemExit):
            raise SystemExit from error
        if self._raised is not None and not isinstance(error, Interrupted):
            raise self._raised from error

    def interrupt(self) -> None:
        """Raise Interrupted in the main thread if it still does this work; a system call that it waits in returns."""
        self._wanted = True
        signal.pthread_kill(self._main, SIGNAL)


def _on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  (what a handler is given)
    current = MainThread._current
    if current is None:
        return
    if current._wanted:
        current._raised = Interrupted()
    elif draining_is_over():
        current._raised = WorkerStops()
    else:
        return
    raise current._raised
