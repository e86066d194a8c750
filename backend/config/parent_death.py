"""Ties the life of a child process to its parent's, so that a parent killed with SIGKILL leaves nobody behind.

Linux alone can do this (PR_SET_PDEATHSIG); elsewhere `die_with_parent` does nothing, and what a killed stack left
over is found at the next start. The kernel sends the signal when the *thread* that made the child ends, so the
children must be made by the main thread.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress

_PR_SET_PDEATHSIG = 1
# Loaded here and not in the child: between fork and exec as little as possible may happen.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def signal_at_parents_end(number: int) -> None:
    """Have the kernel send this process a signal when its parent ends. Raises OSError where it cannot."""
    if _libc is None:
        raise OSError("Only Linux tells a process of its parent's end.")
    if _libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def die_with_parent(*, parent: int, by: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send `by` to this process as soon as the process `parent`, which forked it, is gone.

    The parent may die between the fork and the request, and then no signal would ever come:
    that is why it is compared afterwards.
    """
    if _libc is None:
        return
    with suppress(OSError):
        signal_at_parents_end(by)
    if os.getppid() != parent:
        os.kill(os.getpid(), by)
