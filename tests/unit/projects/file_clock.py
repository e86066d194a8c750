"""The clock of the file system that tests write to."""

from __future__ import annotations

import os
from pathlib import Path


def wait_for_the_clock(below: Path) -> int:
    """Return a moment of the file system's clock that lies after the last change of anything there, in nanoseconds."""
    newest = max(path.lstat().st_ctime_ns for path in (below, *below.rglob("*")))
    beside = below.with_name(f".{below.name}.clock")
    while True:
        beside.touch()
        os.utime(beside)
        if beside.stat().st_ctime_ns > newest:
            return beside.stat().st_ctime_ns
