"""The processes that render templates: one for each batch, the next one started ahead.

A process serves one batch and never another, so that no template meets what an earlier one left behind. Starting it is
most of what a small batch costs; so whoever has rendered once keeps the next process ready, which waits with everything
imported and nothing read. It ends by itself when its owner does (its input closes), or when nobody wanted it for
ten minutes. What it does is `template_child`'s.
"""

from __future__ import annotations

import atexit
import mmap
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from backend.apps.projects.services import template_child

# What a Python that was built elsewhere may need in order to start; nothing that holds a secret.
_PASSED_ON = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
TOO_LATE = -signal.SIGALRM
"""The return code of a process that did not answer in time; no signal that it gets says this by itself."""


@dataclass(frozen=True)
class Finished:
    """What a process that has ended has left. answers: lines, the last of which may be cut off where it was killed.

    begun: how many templates it had begun; of those that it had rendered the last answers may be missing.
    """

    answers: bytes
    said: bytes
    returncode: int
    begun: int


class TemplateProcesses:
    """The spare process of this one; at most one, and none before the first batch."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spare: _Child | None = None

    def run(self, request: bytes, *, seconds: float) -> Finished:
        """Give one process the whole request and return what it answered; then start the next one.

        seconds: of wall clock for all of it; a process that takes longer is killed, and its return code is TOO_LATE.
        """
        spare = self._take()
        finished = (spare or _Child()).serve(request, seconds)
        if spare and not finished.answers and finished.returncode != TOO_LATE:
            # It gave up waiting at the same moment, or somebody ended it; it has read nothing.
            finished = _Child().serve(request, seconds)
        self._put(_Child())
        return finished

    def close(self) -> None:
        """End the spare process."""
        if spare := self._take():
            spare.end()

    def forget(self) -> None:
        """Leave the spare process to the process that started it: for the child of a fork."""
        self._lock = threading.Lock()
        if spare := self._spare:
            self._spare = None
            spare.close()
            # It is not this process's to wait for.
            spare.process.returncode = 0

    def _take(self) -> _Child | None:
        with self._lock:
            spare, self._spare = self._spare, None
        if spare and spare.process.poll() is not None:
            spare.end()
            return None
        return spare

    def _put(self, child: _Child) -> None:
        with self._lock:
            surplus, self._spare = self._spare, child
        if surplus:
            surplus.end()


class _Child:
    """A process that waits for its batch, and the page of memory in which it counts the templates that it begins.

    A process that was killed can say nothing any more; and to send each answer at once, so that the answers say how far
    it came, would take a third as long as the rendering.
    """

    def __init__(self) -> None:
        with _new_count() as count:
            self._count = mmap.mmap(count, template_child.COUNT_BYTES)
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-B", str(Path(template_child.__file__)), str(count)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
                pass_fds=(count,),
                cwd="/",
            )

    def serve(self, request: bytes, seconds: float) -> Finished:
        try:
            answers, said = self.process.communicate(request, timeout=seconds)
        except subprocess.TimeoutExpired as late:
            return self._finished(late.stdout or b"", late.stderr or b"", TOO_LATE)
        except BaseException:
            self.end()
            raise
        return self._finished(answers, said, self.process.returncode)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.close()

    def close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()

    def _finished(self, answers: bytes, said: bytes, returncode: int) -> Finished:
        self.end()
        return Finished(answers, said, returncode, begun=int.from_bytes(self._count[:], sys.byteorder))


@contextmanager
def _new_count() -> Iterator[int]:
    """Give the descriptor of a new file, which is nowhere on a disk where the system can do that. It says zero."""
    linux = sys.platform == "linux"
    with os.fdopen(os.memfd_create("templates"), "w+b") if linux else tempfile.TemporaryFile() as file:
        file.truncate(template_child.COUNT_BYTES)
        yield file.fileno()


processes = TemplateProcesses()
atexit.register(processes.close)
os.register_at_fork(after_in_child=processes.forget)
