"""A worker's start, and what it holds when it idles: Repomill's beside a bare Celery worker with Django set up.

The bare one has Celery's own consumer, one task and the same pool, broker and settings of Django; the time is from the
process' start until it waits for messages. Memory is what would come back if the worker ended (Linux' proportional set
size), of its main process and its pool together; ours has done all of its periodic maintenance by then, several times.
"""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from backend.cli.stack.broker import EmbeddedBroker
from backend.cli.stack.migrate import prepare_database
from backend.config.celery import app
from backend.config.environment import load
from benchmarks.measure import Row, Skipped, in_turn, row, until

MARK_START = 1.5
MARK_MEMORY = 120e6
SETTLED = 3.0
"""Seconds that a worker idles before its memory is read."""
ROUNDS = 6
"""How often each periodic task is done before that, so that each pool process has done it."""


def measure(folder: Path, *, quick: bool) -> list[Row | Skipped]:
    """Return the time to a worker's first answer, and its idle memory."""
    prepare_database()
    pairs = 1 if quick else 7
    with EmbeddedBroker(folder):
        times = in_turn(lambda: _start("backend.config.celery"), lambda: _start("benchmarks.bare_django"), pairs=pairs)
        rows: list[Row | Skipped] = [
            row(
                "worker, start until it takes work",
                "bare Celery worker with Django",
                times,
                show=lambda seconds: f"{seconds:.2f} s",
                better="lower",
                mark=MARK_START,
            )
        ]
        if not Path("/proc/self/smaps_rollup").exists():
            return [*rows, Skipped("idle worker's memory", "this system does not tell a process' share")]
        memory = in_turn(
            lambda: _idle("backend.config.celery"), lambda: _idle("benchmarks.bare_django"), pairs=1 if quick else 3
        )
    told = row(
        "idle worker with two pool processes, memory",
        "bare Celery worker with Django",
        memory,
        show=lambda count: f"{count / 1e6:.0f} MB",
        better="lower",
    )
    # The mark is a size: what the ratio may be for it follows from what the other side holds.
    return [*rows, replace(told, mark=MARK_MEMORY / statistics.median(memory[1]))]


def _start(application: str) -> float:
    began = time.perf_counter()
    process = _worker(application)
    try:
        _until_listening()
        return time.perf_counter() - began
    finally:
        _end(process)


def _idle(application: str) -> float:
    process = _worker(application)
    try:
        _until_listening()
        if application == "backend.config.celery":
            _maintain()
        time.sleep(SETTLED)
        return float(sum(_share(pid) for pid in [process.pid, *_children(process.pid)]))
    finally:
        _end(process)


def _maintain() -> None:
    """Have the worker do its periodic tasks, as beat does in the course of an hour."""
    app.loader.import_default_modules()
    for _ in range(ROUNDS):
        for entry in app.conf.beat_schedule.values():
            app.tasks[entry["task"]].delay()
    with load().redis.client() as client:
        until(lambda: not client.llen("maintenance"), pause=0.05)


def _worker(application: str) -> subprocess.Popen[bytes]:
    ours = ["-m", "backend.config.celery_program"]
    program = ours if application == "backend.config.celery" else ["-m", "celery", "--quiet", "-A", application]
    argv = [*program, "worker", "-Q", "agents,maintenance", "-c", "2", "-n", "start@%h"]
    options = ["--loglevel=ERROR", "--without-gossip", "--without-mingle"]
    return subprocess.Popen([sys.executable, *argv, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _until_listening() -> None:
    """Wait until a client of the broker waits for a message."""
    with load().redis.client() as client:
        until(lambda: any(found["cmd"] == "brpop" for found in client.client_list()), pause=0.005)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    with load().redis.client() as client:
        until(lambda: not any(found["cmd"] == "brpop" for found in client.client_list()), pause=0.01)


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _share(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise LookupError(pid)
