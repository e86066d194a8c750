"""The processes of a stage: web, two workers and beat, each restarted when it ends, as an init system does it.

    python -m tests.integration.chaos.process DATA_DIR WEB_PORT [--three-times]

It imports once and forks, as `repomill up` does. Each fork installs the tests' failpoint hook and then runs the same
`main` that a deployment runs; the hook reaches the pool's processes by inheritance. The broker and the database are the
driver's, so that they can be struck on their own.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from backend import failpoints
from backend.cli.django_setup import setup_django
from backend.cli.stack.preload import preload
from backend.config.parent_death import die_with_parent
from tests.integration.chaos.messages import deliver_three_times
from tests.integration.chaos.strikes import Plan, Striker

RESTART_AFTER = 0.3
"""Seconds until an ended process is started again."""
QUEUES = "generation,export,agents,maintenance"


def table(web_port: int) -> dict[str, tuple[str, ...]]:
    """Return the processes by name: a module and its arguments, as in `backend.cli.stack.processes`."""
    celery = ("celery", "--app", "backend.config.celery", "--quiet")
    worker = (*celery, "worker", f"--queues={QUEUES}", "--concurrency=2", "--loglevel=INFO")
    web = ("uvicorn", "backend.config.asgi:application", "--host=127.0.0.1", f"--port={web_port}", "--lifespan=off")
    return {
        "worker-a": (*worker, "--hostname=a@%h", "--without-gossip", "--without-mingle"),
        "worker-b": (*worker, "--hostname=b@%h", "--without-gossip", "--without-mingle"),
        "web": (*web, "--http=h11", "--ws=none", "--loop=asyncio", "--no-access-log"),
        "beat": (*celery, "beat", "--loglevel=INFO", "--pidfile="),
    }


def main(data_dir: Path, web_port: int) -> None:
    """Start the processes, and start again whichever ends, until SIGTERM."""
    setup_django()
    preload()
    log = data_dir / "log"
    log.mkdir(exist_ok=True)
    wanted = table(web_port)
    running: dict[int, str] = {}
    signal.signal(signal.SIGTERM, lambda *_: _end_all(running))
    for name, words in wanted.items():
        running[_fork(name, words, data_dir)] = name
    while True:
        pid, _ = os.waitpid(-1, 0)
        name = running.pop(pid, "")
        if name:
            time.sleep(RESTART_AFTER)
            running[_fork(name, wanted[name], data_dir)] = name


def _end_all(running: dict[int, str]) -> NoReturn:
    for pid in running:
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    os._exit(0)


def _fork(name: str, words: Sequence[str], data_dir: Path) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _run(name, words, data_dir, parent=parent)
    return pid


def _run(name: str, words: Sequence[str], data_dir: Path, *, parent: int) -> NoReturn:
    status = 70
    try:
        os.setsid()
        die_with_parent(parent=parent)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        output = os.open(data_dir / "log" / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1)
        os.dup2(output, 2)
        plan = Plan(data_dir)
        (data_dir / "chaos" / f"{name}.pid").write_text(str(os.getpid()))
        failpoints.install(Striker(plan, role=name))
        sys.argv = list(words)
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001  (the outermost frame of a process)
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    if "--three-times" in sys.argv:
        deliver_three_times()
    main(Path(sys.argv[1]), int(sys.argv[2]))
