"""The three-link chain: durable on Repomill, and bare on Celery, with the same broker and the same pool."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from celery import chain

from backend.apps.authentication.models import User
from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.models import WorkflowExecution, WorkflowVersion
from backend.apps.workflows.services import save_definition, start_execution
from backend.cli.stack.broker import EmbeddedBroker
from backend.cli.stack.migrate import prepare_database
from backend.config.celery import app
from benchmarks import bare
from benchmarks.measure import Row, Skipped, in_turn, milliseconds, row, seconds_of, until
from benchmarks.processor import seconds_of_processor, server_of_database

POOL = 2
PAUSE = 0.02
"""Seconds between two looks whether all chains have ended, on both sides."""


def measure(folder: Path, *, quick: bool) -> list[Row | Skipped]:
    """Return throughput, latency and processor time of both sides."""
    import benchmarks.noop as noop

    assert noop.noop.name == "agents.noop"
    prepare_database()
    pairs, many, few = (1, 20, 5) if quick else (5, 200, 40)
    with (
        EmbeddedBroker(folder) as broker,
        worker("benchmarks.bare", "bare") as theirs,
        worker("backend.config.celery", "agents") as ours,
    ):
        version = save_definition(
            check_definition({"name": "noops", "steps": [{"id": "noops", "type": "three_noops"}]})
        )
        user = User.objects.get(username="operator")
        throughput = in_turn(
            lambda: chains_per_second(version, user, many), lambda: _bare_per_second(many), pairs=pairs
        )
        latency = in_turn(lambda: _ours_latency(version, user, few), lambda: _bare_latency(few), pairs=pairs)
        shared = [os.getpid(), broker.pid or 0]
        processor = in_turn(
            lambda: seconds_of_processor([*shared, ours.pid, server_of_database()], lambda: _ours(version, user, many)),
            lambda: seconds_of_processor([*shared, theirs.pid], lambda: _bare(many)),
            pairs=pairs,
        )
    against = "bare Celery chain"
    return [
        row("3-link chains, throughput", against, throughput, show=lambda n: f"{n:.0f} /s", better="higher", mark=0.5),
        row("3-link chain, start to end", against, latency, show=milliseconds, better="lower", mark=3.0),
        row(
            f"{many} 3-link chains, processor time",
            *(against, processor),
            show=lambda seconds: f"{seconds / many * 1000:.1f} ms each",
            better="lower",
            mark=2.0,
        ),
    ]


@contextmanager
def worker(application: str, queue: str, *, pool: int = POOL) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker of so many processes for one queue, and give its main process once it answers."""
    include = ["--include", "benchmarks.noop"] if queue == "agents" else []
    argv = ["-m", "celery", "--quiet", "-A", application, "worker", "-Q", queue, "-c", str(pool), "-n", f"{queue}@%h"]
    options = ["--loglevel=ERROR", "--without-gossip", "--without-mingle", "-E", *include]
    process = subprocess.Popen([sys.executable, *argv, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    application_app = bare.app if queue == "bare" else app
    try:
        deadline = time.monotonic() + 120
        while not application_app.control.ping([f"{queue}@{_host()}"], timeout=0.2):
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError(f"the worker for {queue} did not start")
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()


def _host() -> str:
    from celery.utils.nodenames import gethostname

    return str(gethostname())


def _ours(version: WorkflowVersion, user: User, count: int) -> None:
    ids = [start_execution(version=version, inputs={}, user=user).pk for _ in range(count)]
    until(lambda: not WorkflowExecution.objects.filter(status="running").exists(), pause=PAUSE)
    assert WorkflowExecution.objects.filter(pk__in=ids, status="completed").count() == count


def _bare(count: int) -> None:
    """Do so many chains. Their results are looked for where they are.

    `result.get` subscribes to each result's channel instead, and with two hundred of them it was seen to wait for one
    in vain that had been there for a minute.
    """
    backend: Any = bare.app.backend
    keys = [backend.get_key_for_task(_bare_chain().id) for _ in range(count)]
    until(lambda: backend.client.exists(*keys) == count, pause=PAUSE)


def chains_per_second(version: WorkflowVersion, user: User, count: int) -> float:
    """Return how many durable chains end in a second, of so many that are started together."""
    return count / seconds_of(lambda: _ours(version, user, count))


def _bare_chain() -> Any:
    return chain(bare.noop.si(0), bare.noop.si(1), bare.noop.si(2)).apply_async()


def _bare_per_second(count: int) -> float:
    return count / seconds_of(lambda: _bare(count))


def _ours_latency(version: WorkflowVersion, user: User, count: int) -> float:
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        execution = start_execution(version=version, inputs={}, user=user)
        done = WorkflowExecution.objects.filter(pk=execution.pk, status="completed")
        until(done.exists, pause=0.001)
        taken.append(time.perf_counter() - began)
    return sorted(taken)[count // 2]


def _exists(key: bytes) -> bool:
    backend: Any = bare.app.backend
    return bool(backend.client.exists(key))


def _bare_latency(count: int) -> float:
    backend: Any = bare.app.backend
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        key = backend.get_key_for_task(_bare_chain().id)
        until(partial(_exists, key), pause=0.001)
        taken.append(time.perf_counter() - began)
    return sorted(taken)[count // 2]
