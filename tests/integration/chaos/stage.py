"""A whole installation whose every piece is a process of its own, to be struck one by one.

The driver (the test) holds the broker and the database, starts the rest through `process`, and does in `tend` what a
struck process cannot do for itself.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from backend.cli.stack.broker import EmbeddedBroker
from backend.cli.stack.preflight import choose_port
from backend.cli.stack.ready import answers
from backend.config.parent_death import die_with_parent
from tests.integration.chaos.databases import Database
from tests.integration.chaos.disks import FOLDERS, small_disk
from tests.integration.chaos.strikes import Plan
from tests.integration.installation import FOREIGN, ROOT

LEASE = 3.0
RECONCILE = 1.0
HELD = LEASE + RECONCILE + 2.0
"""Seconds that a stopped process stays stopped: past its lease, and time for another one to take over."""
BROKER_AWAY = 0.5
DISK_FULL = 1.5
START_PATIENCE = 180.0


class Stage:
    """One installation, its processes and what is asked of the driver."""

    def __init__(self, data_dir: Path, database: Database, *, options: tuple[str, ...] = ()) -> None:
        self.data_dir = data_dir
        self.database = database
        self.plan = Plan(data_dir)
        self.has_small_disk = False
        self.held = HELD
        self._options = options
        self._port = choose_port(0, option="--port")
        self._broker = EmbeddedBroker(data_dir)
        self._console: subprocess.Popen[str] | None = None
        self._launcher: subprocess.Popen[bytes] | None = None
        self._due: dict[str, float] = {}
        self.environment = {k: v for k, v in os.environ.items() if k not in FOREIGN} | {
            "REPOMILL_DATA_DIR": str(data_dir),
            "REPOMILL_LEASE_SECONDS": str(int(LEASE)),
            "REPOMILL_RECONCILE_SECONDS": str(RECONCILE),
            "REPOMILL_GIT_INTERNAL_HOSTS": "127.0.0.1",
            "BACKEND_URL": f"http://127.0.0.1:{self._port}",
            "DATABASE_URL": database.url,
            "DJANGO_SETTINGS_MODULE": "backend.config.settings.base",
            "PYTHONUNBUFFERED": "1",
        }

    def start(self) -> None:
        """Start everything, and wait until the web process answers."""
        self.plan.create()
        self._start_broker()
        self._console = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.chaos.console", *self._options],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=partial(die_with_parent, parent=os.getpid()),
        )
        self.ask("prepare")
        words = [str(self.data_dir), str(self._port), *self._options]
        with (self.data_dir / "log" / "launcher.log").open("wb") as log:
            self._launcher = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.chaos.process", *words],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                preexec_fn=partial(die_with_parent, parent=os.getpid()),
            )
        url = self.environment["BACKEND_URL"] + "/api/schema/"
        self.wait(lambda: answers(url), patience=START_PATIENCE, what="a web process that answers")

    def stop(self) -> None:
        """End everything, at once."""
        if self._launcher is not None:
            self._launcher.terminate()
            self._launcher.wait(10)
        if self._console is not None and self._console.stdin and self._console.stdout:
            self._console.kill()
            self._console.wait(10)
            with suppress(BrokenPipeError):
                self._console.stdin.close()
            self._console.stdout.close()
        self._broker.stop()

    def ask(self, function: str, *arguments: Any) -> Any:
        """Ask the console, and do what struck processes ask for until it answers.

        A stopped process may hold a lock that the answer waits for, as a transaction of SQLite does.
        """
        assert self._console is not None
        assert self._console.stdin is not None
        assert self._console.stdout is not None
        self._console.stdin.write(json.dumps([function, *arguments]) + "\n")
        self._console.stdin.flush()
        while not select.select([self._console.stdout], [], [], 0.05)[0]:
            self.tend()
        line = self._console.stdout.readline()
        assert line, "the console ended"
        return json.loads(line)

    def wait(self, question: Callable[[], Any], *, patience: float, what: str) -> Any:
        """Ask until there is an answer, and do what struck processes ask for meanwhile."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            self.tend()
            if answer := question():
                return answer
            time.sleep(0.1)
        raise AssertionError(f"waited {patience} s in vain for {what}")

    def tend(self) -> None:
        """Do what is due: start a broker that was killed, restart the database, let stopped processes go on."""
        assert self._launcher is None or self._launcher.poll() is None, "the launcher ended"
        if self._broker.pid is None and self._is_due("broker", after=BROKER_AWAY):
            self._broker.stop()
            self._start_broker()
        for path in self.plan.requests.iterdir():
            kind, _, number = path.name.partition("-")
            if path.name == "restart-database":
                self.database.restart()
                path.unlink()
            elif kind == "continue" and self._is_due(path.name, after=self.held):
                with suppress(ProcessLookupError):
                    os.kill(int(number), signal.SIGCONT)
                path.unlink()
            elif path.name == "free-space" and self._is_due(path.name, after=DISK_FULL):
                self.plan.filler.unlink(missing_ok=True)
                path.unlink()

    @property
    def busy(self) -> bool:
        """Whether something is still broken that the driver will mend."""
        return self._broker.pid is None or any(self.plan.requests.iterdir())

    def pid_of(self, name: str) -> int:
        """Return the process id of a process by its name; it may have ended a moment ago."""
        return int((self.data_dir / "chaos" / f"{name}.pid").read_text())

    def hurry(self) -> None:
        """Do at the next look what is asked for, however early."""
        self._due = dict.fromkeys(self._due, 0.0)

    def _is_due(self, name: str, *, after: float) -> bool:
        now = time.monotonic()
        if now < self._due.setdefault(name, now + after):
            return False
        del self._due[name]
        return True

    def _start_broker(self) -> None:
        self._broker.start()
        self.plan.broker_pid.write_text(str(self._broker.pid))


@contextmanager
def stage(
    data_dir: Path,
    database: Database,
    *,
    options: tuple[str, ...] = (),
    disk_megabytes: int = 0,
    folders_on_disk: tuple[str, ...] = FOLDERS,
) -> Iterator[Stage]:
    """Run a stage in a folder; disk_megabytes: the size of a small disk for its work, where one can be mounted."""
    with ExitStack() as stack:
        made = Stage(data_dir, database, options=options)
        if disk_megabytes:
            disk = small_disk(data_dir, megabytes=disk_megabytes, folders=folders_on_disk)
            made.has_small_disk = stack.enter_context(disk)
        stack.callback(made.stop)
        made.start()
        yield made
