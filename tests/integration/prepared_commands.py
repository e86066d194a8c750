"""Runs an installation's commands in forks of one process that has the imports behind it; each is spared a second.

What a command does, prints and returns is what it does in a process of its own. One that is asked for while another
runs gets such a process. Linux only, as forks without an exec are.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import IO, Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent.parent


class PreparedCommands:
    """The process, as whoever asks for commands sees it."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = dict(environment)
        self._process: subprocess.Popen[str] | None = None
        self._one = threading.Lock()

    @property
    def pid(self) -> int | None:
        """The process' id, while there is one."""
        return self._process.pid if self._process else None

    def run(self, *arguments: str, timeout: float) -> subprocess.CompletedProcess[str]:
        """Run `python ARGUMENTS`, which are ("-m", module, ...) or ("-c", code)."""
        command = [sys.executable, *arguments]
        if sys.platform != "linux" or not self._one.acquire(blocking=False):
            return subprocess.run(
                command, cwd=ROOT, env=self._environment, capture_output=True, text=True, timeout=timeout
            )
        try:
            told = self._ask({"arguments": arguments, "timeout": timeout})
        finally:
            self._one.release()
        if told["code"] is None:
            raise subprocess.TimeoutExpired(command, timeout, told["output"], told["errors"])
        return subprocess.CompletedProcess(command, told["code"], told["output"], told["errors"])

    def stop(self) -> None:
        """End the process; the next command starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.communicate()

    def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.prepared_commands"],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        return told


def _serve() -> None:
    _import_much()
    for line in sys.stdin:
        command = json.loads(line)
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            code = _in_a_fork(command["arguments"], output, errors, timeout=command["timeout"])
            told = {"code": code, "output": _read(output), "errors": _read(errors)}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


def _import_much() -> None:
    from backend.cli.django_setup import setup_django

    setup_django()
    import_module("kombu.transport.redis")
    import_module("backend.config.celery").app.loader.import_default_modules()
    commands = import_module("backend.cli.commands")
    for found in iter_modules(commands.__path__, "backend.cli.commands."):
        import_module(found.name)
    gc.collect()
    gc.freeze()


def _in_a_fork(arguments: list[str], output: IO[str], errors: IO[str], *, timeout: float) -> int | None:
    pid = os.fork()
    if pid == 0:
        _be(arguments, output, errors)
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def _be(arguments: list[str], output: IO[str], errors: IO[str]) -> NoReturn:
    # Nothing may return or raise out of here: above lies the stack of the process that was forked.
    code = 1
    try:
        for number, file in enumerate((open(os.devnull), output, errors)):  # noqa: SIM115  (it becomes the input)
            os.dup2(file.fileno(), number)
        code = _run(arguments)
    except BaseException:  # noqa: BLE001  (the outermost frame of a process)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(arguments: list[str]) -> int:
    kind, what, *more = arguments
    sys.argv = [what if kind == "-m" else kind, *more]
    try:
        if kind == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    atexit._run_exitfuncs()
    return code


def _read(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


if __name__ == "__main__":
    _serve()
