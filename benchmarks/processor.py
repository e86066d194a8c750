"""Processor time of processes and all that they started: a busy machine changes it less than the time on the clock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from django.db import connection

TICKS = os.sysconf("SC_CLK_TCK")


def seconds_of_processor(roots: Iterable[int], work: Callable[[], object]) -> float:
    """Return the processor time that these processes, and all below them, spend while `work` is done.

    Only this process itself counts of its own tree: what it started has to be named. A process that ends meanwhile
    takes its share with it.
    """
    chosen = list(roots)
    before = _spent(chosen)
    work()
    after = _spent(chosen)
    return sum(spent - before.get(process, 0.0) for process, spent in after.items())


def server_of_database() -> int:
    """Return the process id of the PostgreSQL server; 0 on SQLite, whose work is its user's."""
    if connection.vendor != "postgresql":
        return 0
    connection.ensure_connection()
    return _parent(connection.connection.info.backend_pid)


def _spent(roots: list[int]) -> dict[int, float]:
    below: dict[int, list[int]] = {}
    times: dict[int, float] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            below.setdefault(int(fields[1]), []).append(int(folder.name))
            times[int(folder.name)] = (int(fields[11]) + int(fields[12])) / TICKS
    found: dict[int, float] = {}
    waiting = [root for root in roots if root in times]
    while waiting:
        process = waiting.pop()
        found[process] = times[process]
        if process != os.getpid():
            waiting += below.get(process, [])
    return found


def _parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
