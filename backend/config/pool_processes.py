"""What a worker's pool processes do at their start, with less memory than Celery would take for it.

Each asks the system to end it when the worker's main process is gone. Where cffi is loaded, billiard 4.3 has it parse C
for that one call, in every pool process: 14 MB each that nothing else uses.
"""

from __future__ import annotations

import ctypes
import gc

from celery import platforms

from backend.config.parent_death import signal_at_parents_end


def end_with_their_worker() -> None:
    """Let pool processes make that call themselves."""
    platforms._set_pdeathsig = signal_at_parents_end  # type: ignore[attr-defined]


def share_memory() -> None:
    """Let the next pool process share what is loaded: the collector's marks would copy every page of it."""
    gc.collect()
    # What loading freed goes back to the system first; an allocator that is not glibc's does as it likes.
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
    gc.freeze()
