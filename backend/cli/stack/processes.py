"""The table of the processes that make a stack: names, command lines, environments.

No command line and no environment made here holds a secret.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from backend.cli.stack.settings import HOST, StackSettings

_CELERY: Final = (sys.executable, "-m", "backend.config.celery_program")

WORKER_QUEUES: Final[dict[str, str]] = {"generation": "generation", "export": "export,bulk", "agents": "agents"}
"""Each worker's name and the queues that are its own; every worker serves `maintenance` as well."""


@dataclass(frozen=True)
class StackProcess:
    """One process: its name in the output, and the command that is it."""

    name: str
    argv: tuple[str, ...]
    patience: float = 10.0
    """Seconds between SIGTERM and SIGKILL: for a worker, to finish what it does."""


def processes(settings: StackSettings) -> tuple[StackProcess, ...]:
    """Return the stack's processes, in the order in which they start: what takes longest comes first."""
    table = [
        *(_worker(name, queue, settings.environment.worker_concurrency) for name, queue in WORKER_QUEUES.items()),
        StackProcess("web", _web(settings.web_port), patience=5.0),
        # No pid file: after a kill -9 it would keep beat from starting, and the stack's lock makes it the only one.
        # It can miss a SIGTERM that comes while it publishes, and has nothing to finish.
        StackProcess("beat", (*_CELERY, "beat", "--loglevel=INFO", "--pidfile="), patience=2.0),
    ]
    if settings.flower_port is not None:
        command = (sys.executable, "-m", "celery", "--app", "backend.config.celery", "--quiet")
        flower = (*command, "flower", f"--conf={settings.flower_config}")
        table.append(StackProcess("flower", flower, patience=3.0))
    return tuple(table)


def child_environment(settings: StackSettings, inherited: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of every process of the stack.

    BACKEND_URL and REPOMILL_WEB_URL are this stack's own web process unless the user set them. Variables that would
    change Flower behind its configuration's back (FLOWER_UNAUTHENTICATED_API opens its API to everyone) are taken out.
    """
    variables = {
        k: v for k, v in (os.environ if inherited is None else inherited).items() if not k.startswith("FLOWER_")
    }
    # Neither is set where `repomill flower` runs by itself and knows no web process.
    if settings.web_port and not variables.get("BACKEND_URL"):
        variables["BACKEND_URL"] = settings.web_url
    if settings.web_port and not variables.get("REPOMILL_WEB_URL"):
        variables["REPOMILL_WEB_URL"] = settings.web_url
    if settings.flower_url and not variables.get("REPOMILL_FLOWER_URL"):
        variables["REPOMILL_FLOWER_URL"] = settings.flower_url
    variables["REPOMILL_DATA_DIR"] = str(settings.environment.data_dir)
    variables["DJANGO_SETTINGS_MODULE"] = variables.get("DJANGO_SETTINGS_MODULE") or "backend.config.settings.base"
    # Lines reach the supervisor when they are written, not when a buffer is full.
    variables["PYTHONUNBUFFERED"] = "1"
    return variables


def _worker(name: str, queue: str, concurrency: int) -> StackProcess:
    argv = (
        *_CELERY,
        "worker",
        f"--queues={queue},maintenance",
        f"--hostname={name}@%h",
        f"--concurrency={concurrency}",
        "--loglevel=INFO",
        # Workers of one stack have nothing to tell each other; each of the two costs a second at the start.
        "--without-gossip",
        "--without-mingle",
    )
    return StackProcess(f"worker-{name}", argv)


def _web(port: int) -> tuple[str, ...]:
    options = (
        *("--no-server-header", "--lifespan=off", "--http=h11", "--ws=none", "--loop=asyncio", "--no-access-log"),
        # Event streams do not end by themselves; whoever listens comes again. And a burst of clients waits to be taken.
        *("--timeout-graceful-shutdown=2", "--backlog=4096"),
    )
    return (
        sys.executable,
        "-m",
        "uvicorn",
        "backend.config.asgi:application",
        f"--host={HOST}",
        f"--port={port}",
        *options,
    )
