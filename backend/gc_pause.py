"""Keeps Python's collector from looking for cycles while a great many plain values are made.

Each time their number has grown by a quarter it would look at all of them again, and find nothing: files of a plan and
entries of a directory refer to nobody. With twenty thousand files that is a fifth of what generating them anew takes.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pause the collector of this process, all its threads included; whoever paused it first lets it go on."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
