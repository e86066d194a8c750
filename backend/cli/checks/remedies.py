"""What to do about a process that does not answer, which differs by who started it."""

from __future__ import annotations

from backend.cli.checks.base import NOT_RUNNING
from backend.cli.stack.lock import running_stack
from backend.cli.stack.processes import WORKER_QUEUES
from backend.config.environment import Environment


def remedy(environment: Environment, *, process: str, alone: str) -> str:
    """Return what to do. process: its name in the stack; alone: what helps where nothing says that a stack is used."""
    if running_stack(environment.data_dir) is not None:
        log = environment.data_dir / "log" / f"{process}.log"
        return f"Look at {log}. Where it hangs, kill -9 it: `repomill up` starts it again."
    return NOT_RUNNING if environment.embedded_broker else alone


def remedy_of_queue(environment: Environment, queue: str) -> str:
    """Return what to do about a queue that no worker serves."""
    worker = next((name for name, served in WORKER_QUEUES.items() if queue in served.split(",")), "generation")
    alone = f"Start one: python -m backend.config.celery_program worker -Q {queue}"
    return remedy(environment, process=f"worker-{worker}", alone=alone)
