"""Says whether this is a process of a worker's pool: there the main thread does the tasks, and nothing else runs."""

from __future__ import annotations

from celery.signals import worker_process_init

_here = False


@worker_process_init.connect
def _begin(**_: object) -> None:
    global _here
    _here = True


def in_pool_process() -> bool:
    """Return whether this process belongs to a pool of processes, and was made for it."""
    return _here
