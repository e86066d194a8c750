"""The three-link chain: durable on Repomill, and bare on Celery, with the same broker and the same pool."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
from benchmarks.endurance import measure_pool
from benchmarks.measure import Row, Skipped, in_turn, milliseconds, row, until

POOL = 2


def measure(folder: Path, *, quick: bool) -> list[Row | Skipped]:
    """Return throughput and latency of both sides, and what ten thousand tasks do to our worker's memory."""
    import benchmarks.noop as noop

    assert noop.noop.name == "agents.noop"
    prepare_database()
    pairs, many, few = (1, 20, 5) if quick else (5, 200, 40)
    with EmbeddedBroker(folder), worker("benchmarks.bare", "bare"), worker("backend.config.celery", "agents") as ours:
        version = save_definition(
            check_definition({"name": "noops", "steps": [{"id": "noops", "type": "three_noops"}]})
        )
        user = User.objects.get(username="operator")
        throughput = in_turn(lambda: _ours_per_second(version, user, many), lambda: _bare_per_second(many), pairs=pairs)
        latency = in_turn(lambda: _ours_latency(version, user, few), lambda: _bare_latency(few), pairs=pairs)
        memory = measure_pool(worker=ours.pid, version=version, user=user, quick=quick)
    against = "bare Celery chain"
    return [
        row("3-link chains, throughput", against, throughput, show=lambda n: f"{n:.0f} /s", better="higher", mark=0.5),
        row("3-link chain, start to end", against, latency, show=milliseconds, better="lower", mark=3.0),
        *memory,
    ]


@contextmanager
def worker(application: str, queue: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker of POOL processes for one queue, and give its main process once it answers."""
    include = ["--include", "benchmarks.noop"] if queue == "agents" else []
    argv = ["-m", "celery", "--quiet", "-A", application, "worker", "-Q", queue, "-c", str(POOL), "-n", f"{queue}@%h"]
    options = ["--loglevel=ERROR", "--without-gossip", "--without-mingle", "-E", *include]
    process = subprocess.Popen([sys.executable, *argv, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    application_app = bare.app if queue == "bare" else app
    try:
        deadline = time.monotonic() + 30
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


def _ours_per_second(version: WorkflowVersion, user: User, count: int) -> float:
    began = time.perf_counter()
    ids = [start_execution(version=version, inputs={}, user=user).pk for _ in range(count)]
    until(lambda: not WorkflowExecution.objects.filter(status="running").exists(), pause=0.01)
    taken = time.perf_counter() - began
    assert WorkflowExecution.objects.filter(pk__in=ids, status="completed").count() == count
    return count / taken


def _bare_chain() -> Any:
    return chain(bare.noop.si(0), bare.noop.si(1), bare.noop.si(2)).apply_async()


def _bare_per_second(count: int) -> float:
    began = time.perf_counter()
    results = [_bare_chain() for _ in range(count)]
    for result in results:
        result.get(timeout=60)
    return count / (time.perf_counter() - began)


def _ours_latency(version: WorkflowVersion, user: User, count: int) -> float:
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        execution = start_execution(version=version, inputs={}, user=user)
        done = WorkflowExecution.objects.filter(pk=execution.pk, status="completed")
        until(done.exists, pause=0.001)
        taken.append(time.perf_counter() - began)
    return sorted(taken)[count // 2]


def _bare_latency(count: int) -> float:
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        _bare_chain().get(timeout=60)
        taken.append(time.perf_counter() - began)
    return sorted(taken)[count // 2]
