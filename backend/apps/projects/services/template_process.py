"""The processes that render templates: one for each batch, the next one started ahead.

A process serves one batch and never another, so that no template meets what an earlier one left behind. Starting it is
most of what a small batch costs; so whoever has rendered once keeps the next process ready, which waits with everything
imported and nothing read. It ends by itself when its owner does (its input closes), or when nobody wanted it for
ten minutes. What it does is `template_child`'s.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from backend.apps.projects.services import template_child

# What a Python that was built elsewhere may need in order to start; nothing that holds a secret.
_PASSED_ON = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
TOO_LATE = -signal.SIGALRM
"""The return code of a process that did not answer in time; no signal that it gets says this by itself."""


class TemplateProcesses:
    """The spare process of this one; at most one, and none before the first batch."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spare: subprocess.Popen[bytes] | None = None

    def run(self, request: bytes, *, seconds: float) -> subprocess.CompletedProcess[bytes]:
        """Give one process the whole request and return what it answered; then start the next one.

        seconds: of wall clock for all of it; a process that takes longer is killed, and its return code is TOO_LATE.
        """
        spare = self._take()
        finished = _serve(spare or _start(), request, seconds)
        if spare and not finished.stdout and finished.returncode != TOO_LATE:
            # It gave up waiting at the same moment, or somebody ended it; it has read nothing.
            finished = _serve(_start(), request, seconds)
        self._put(_start())
        return finished

    def close(self) -> None:
        """End the spare process."""
        if spare := self._take():
            _end(spare)

    def forget(self) -> None:
        """Leave the spare process to the process that started it: for the child of a fork."""
        self._lock = threading.Lock()
        if spare := self._spare:
            self._spare = None
            for pipe in (spare.stdin, spare.stdout, spare.stderr):
                if pipe:
                    pipe.close()
            # It is not this process's to wait for.
            spare.returncode = 0

    def _take(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            spare, self._spare = self._spare, None
        if spare and spare.poll() is not None:
            _end(spare)
            return None
        return spare

    def _put(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            surplus, self._spare = self._spare, process
        if surplus:
            _end(surplus)


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-B", str(Path(template_child.__file__))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        cwd="/",
    )


def _serve(process: subprocess.Popen[bytes], request: bytes, seconds: float) -> subprocess.CompletedProcess[bytes]:
    try:
        answers, said = process.communicate(request, timeout=seconds)
    except subprocess.TimeoutExpired as late:
        _end(process)
        return subprocess.CompletedProcess(process.args, TOO_LATE, late.stdout or b"", late.stderr or b"")
    except BaseException:
        _end(process)
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, answers, said)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            pipe.close()


processes = TemplateProcesses()
atexit.register(processes.close)
os.register_at_fork(after_in_child=processes.forget)
