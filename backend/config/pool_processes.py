"""What a worker's pool processes do at their start, with less memory than Celery would take for it.

Each asks the system to end it when the worker's main process is gone. Where cffi is loaded, billiard 4.3 has it parse C
for that one call, in every pool process: 14 MB each that nothing else uses.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys

from celery import platforms

_PR_SET_PDEATHSIG = 1


def end_with_their_worker() -> None:
    """Let pool processes make that call themselves."""
    platforms._set_pdeathsig = _end_with_parent  # type: ignore[attr-defined]


def share_memory() -> None:
    """Let the next pool process share what is loaded: the collector's marks would copy every page of it."""
    gc.collect()
    # What loading freed goes back to the system first; an allocator that is not glibc's does as it likes.
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
    gc.freeze()


def _end_with_parent(signal: int) -> None:
    """Have the system send this process a signal when its parent ends. Raises OSError where it cannot."""
    if not sys.platform.startswith("linux"):
        raise OSError("Only Linux tells a process of its parent's end.")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
