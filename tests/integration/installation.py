"""A whole installation in a folder of its own: its command line, its stack of real processes, its database."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from backend.cli.stack.lock import StackInfo, running_stack
from tests.integration.migrated import begin_with_migrated
from tests.integration.prepared_commands import PreparedCommands

ROOT = Path(__file__).resolve().parent.parent.parent
Answer = TypeVar("Answer")
FOREIGN = (
    "DJANGO_SETTINGS_MODULE",
    "DATABASE_URL",
    "DATABASE_URL_FILE",
    "REDIS_URL",
    "REDIS_URL_FILE",
    "BACKEND_URL",
    "GENERATED_PROJECTS_DIR",
    "REPOMILL_CREDENTIAL_KEYS_FILE",
    "COVERAGE_PROCESS_START",
)


class Installation:
    """Repomill in `data_dir`, used from outside as a person uses it."""

    migrated = True
    """Whether a database with empty tables lies ready: to make them takes each first start seconds."""

    def __init__(self, data_dir: Path, **variables: str) -> None:
        self.data_dir = data_dir
        self.environment = {name: value for name, value in os.environ.items() if name not in FOREIGN} | {
            "REPOMILL_DATA_DIR": str(data_dir),
            "REPOMILL_LEASE_SECONDS": "6",
            "REPOMILL_RECONCILE_SECONDS": "1",
            "REPOMILL_GIT_INTERNAL_HOSTS": "127.0.0.1",
            "COLUMNS": "200",
            "DJANGO_SETTINGS_MODULE": "backend.config.settings.base",
            **variables,
        }
        self.process: subprocess.Popen[str] | None = None
        self._prepared = PreparedCommands(self.environment)

    def cli(self, *arguments: str, code: int = 0, timeout: float = 120) -> str:
        """Run `repomill ...` and return what it printed; its exit code must be `code`."""
        done = self._run(*arguments, code=code, timeout=timeout)
        return done.stdout if code == 0 else done.stdout + done.stderr

    def _run(self, *arguments: str, code: int, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        done = self._python("-m", "backend.cli", *arguments, timeout=timeout)
        assert done.returncode == code, f"exit {done.returncode}: {done.stdout}\n{done.stderr}"
        return done

    def _python(self, *arguments: str, timeout: float) -> subprocess.CompletedProcess[str]:
        """Run Python in this installation. While its stack runs, in a fork of a process that is ready for it."""
        if self.migrated and self.process is not None:
            return self._prepared.run(*arguments, timeout=timeout)
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run `repomill ... --json` and return what it printed."""
        return json.loads(self._run(*arguments, "--json", code=code).stdout)

    def start(self, *options: str, patience: float = 60) -> StackInfo:
        """Start `repomill up` on free ports and wait until it is ready."""
        if self.migrated and not self.environment.get("DATABASE_URL"):
            begin_with_migrated(self.data_dir)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "backend.cli", "up", "--quiet", "--port", "0", "--flower-port", "0", *options],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        return self.wait_until(self._ready, patience=patience, what="a ready stack")

    def _ready(self) -> StackInfo | None:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the stack ended: {self.process.stdout.read() if self.process.stdout else ''}")
        info = running_stack(self.data_dir)
        return info if info is not None and info.ready else None

    def stop(self) -> None:
        """End the stack as Ctrl-C does."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End the stack's whole process group as a power cut does."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        self._prepared.stop()
        if self.process is None:
            return
        os.killpg(self.process.pid, number)
        self.process.wait(60)
        if self.process.stdout:
            self.process.stdout.close()
        self.process = None

    def processes(self, words: str = "") -> list[int]:
        """Return the ids of the installation's processes, broker included, whose command line has these words."""
        found, mine = [], os.fsencode(str(self.data_dir))
        for process in Path("/proc").glob("[0-9]*"):
            try:
                line = (process / "cmdline").read_bytes().replace(b"\0", b" ")
                known = mine in line or mine in (process / "environ").read_bytes()
            except OSError:
                continue
            if known and words.encode() in line and int(process.name) not in {os.getpid(), self._prepared.pid}:
                found.append(int(process.name))
        return found

    def workers(self, *names: str) -> list[int]:
        """Return the ids of the stack's workers of these names, with their pools.

        They are forked, so that their names tell them apart and their command lines do not.
        """
        wanted = {f"rm-{name}" for name in names}
        found = []
        for pid in self.processes():
            with suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text().strip() in wanted:
                    found.append(pid)
        return found

    def show(self, execution: str) -> dict[str, Any]:
        """Return an execution as `repomill show --json` gives it."""
        shown: dict[str, Any] = self.json("show", execution)
        return shown

    def django(self, code: str) -> Any:
        """Run Python in this installation and return the JSON it leaves in `answer`."""
        script = f"import json, django\ndjango.setup()\n{code}\nprint(json.dumps(answer))"
        done = self._python("-c", script, timeout=300)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    @staticmethod
    def wait_until(question: Callable[[], Answer | None], *, patience: float, what: str) -> Answer:
        """Ask until there is an answer. What takes long to ask is asked less often."""
        deadline = time.monotonic() + patience
        while (began := time.monotonic()) < deadline:
            if answer := question():
                return answer
            time.sleep(max(0.1, time.monotonic() - began))
        raise AssertionError(f"waited {patience} s in vain for {what}")


class NewInstallation(Installation):
    """One whose first start makes the tables itself, as a person's does."""

    migrated = False
