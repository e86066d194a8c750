"""The only place that starts git.

Every call has a fixed argument list, an environment built from nothing, an allow-list of protocols, a process group of
its own, a deadline and bounded output; the group is ended on every way out. What git says is cleaned before anybody
reads it.

It does not know repositories, hosts or credentials: `git_store` and `hosts` do.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from backend.apps.projects.errors import GitFailed
from backend.apps.projects.services.git_environment import command_line, environment
from backend.apps.projects.services.git_words import Drain, clean, says_disk_is_full

OUTPUT_LIMIT = 16 * 1024 * 1024
ERROR_LIMIT = 64 * 1024
BUFFER = 1024 * 1024
GRACE_SECONDS = 2.0


@dataclass(frozen=True)
class Answer:
    """What git answered: its standard output as bytes, and its standard error cleaned for reading."""

    output: bytes
    words: str


def run(
    *arguments: str,
    git_dir: Path | None = None,
    options: Sequence[str] = (),
    protocols: Sequence[str] = (),
    extra: Mapping[str, str] | None = None,
    timeout: float = 60.0,
    output_limit: int = OUTPUT_LIMIT,
    given: bytes = b"",
) -> Answer:
    """Run git to its end and return its answer.

    given: what git reads on its standard input.
    timeout: seconds until git is ended. output_limit: bytes of output after which it is.
    Raises GitFailed with git's own words when it fails, is too slow or says too much.
    """
    with started(
        *arguments,
        git_dir=git_dir,
        options=options,
        protocols=protocols,
        extra=extra,
        timeout=timeout,
        output_limit=output_limit,
    ) as process:
        process.write(given)
        return process.finish()


@contextmanager
def started(
    *arguments: str,
    git_dir: Path | None = None,
    options: Sequence[str] = (),
    protocols: Sequence[str] = (),
    extra: Mapping[str, str] | None = None,
    timeout: float = 60.0,
    output_limit: int | None = OUTPUT_LIMIT,
) -> Iterator[GitProcess]:
    """Start git and yield it for writing to; it and everything that it started are gone when the block is left.

    output_limit: None for a conversation, in which the caller reads `output` itself.
    """
    process = GitProcess(
        name=arguments[0],
        line=command_line(*arguments, git_dir=git_dir, options=options),
        environment=environment(protocols=protocols, extra=extra),
        timeout=timeout,
        output_limit=output_limit,
    )
    try:
        yield process
    finally:
        process.end()


class GitProcess:
    """One running git. `write` feeds its standard input, `finish` waits for its end and returns its answer."""

    def __init__(
        self,
        *,
        name: str,
        line: Sequence[str],
        environment: Mapping[str, str],
        timeout: float,
        output_limit: int | None,
    ) -> None:
        self._name = name
        self._timeout = timeout
        self._ended_because = ""
        self._timed_out = False
        self._process = subprocess.Popen(
            line,
            env=dict(environment),
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=BUFFER,
            # A session of its own: no terminal to ask at, and one group to end.
            start_new_session=True,
        )
        pipes = (self._process.stdin, self._process.stdout, self._process.stderr)
        if None in pipes:  # never so: all three were asked for; said for the type checker
            raise AssertionError("git was started without pipes")
        self._input, self.output, stderr = cast("tuple[IO[bytes], IO[bytes], IO[bytes]]", pipes)
        self._output = (
            None if output_limit is None else Drain(self.output, limit=output_limit, on_overflow=self._too_much)
        )
        self._errors = Drain(stderr, limit=ERROR_LIMIT)
        self._clock = threading.Timer(timeout, self._too_slow)
        self._clock.daemon = True
        self._clock.start()

    def write(self, data: bytes) -> None:
        """Write to git's standard input.

        Raises GitFailed with git's own words when it has ended.
        """
        try:
            self._input.write(data)
        except BrokenPipeError as error:
            raise self.failed() from error

    def lag(self) -> None:
        """Let git be a megabyte behind what is written to it, where the system can, so that both work at once."""
        with suppress(OSError, AttributeError):
            fcntl.fcntl(self._input.fileno(), fcntl.F_SETPIPE_SZ, BUFFER)

    def ask(self, line: bytes) -> None:
        """Write one line and see that git gets it now. Raises GitFailed as `write` does."""
        self.write(line + b"\n")
        try:
            self._input.flush()
        except BrokenPipeError as error:
            raise self.failed() from error

    def finish(self) -> Answer:
        """Close git's input, wait for its end and return its answer.

        Raises GitFailed when it did not end well.
        """
        try:
            self._input.close()
        except BrokenPipeError:
            # Git ended without reading all of its input: its exit status below says whether that was well.
            self._process.wait()
        if self._process.wait() != 0 or self._ended_because:
            raise self.failed()
        return Answer(output=self._kept_output(), words=clean(self._errors.read()))

    def end(self) -> None:
        """End git and everything that it started, and free what belongs to it. Does nothing to what has ended."""
        self._clock.cancel()
        self._clock.join()
        if self._process.poll() is None:
            self._signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE_SECONDS)
        # Whoever still holds a pipe is a process that git left behind.
        if self._process.poll() is None or not self._pipes_ended():
            self._signal(signal.SIGKILL)
        self._process.wait()
        with suppress(BrokenPipeError):
            self._input.close()
        self._errors.close()
        if self._output is None:
            self.output.close()
        else:
            self._output.close()

    def _kept_output(self) -> bytes:
        return b"" if self._output is None else self._output.read()

    def _pipes_ended(self) -> bool:
        return self._errors.ended() and (self._output is None or self._output.ended())

    def failed(self) -> GitFailed:
        """Wait a moment for git's end and return the error that says why it ended; it is ended if it has not."""
        try:
            returncode = self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            returncode = self._process.wait()
        words = clean(self._errors.read())
        said = words or f"exit status {returncode}"
        return GitFailed(
            self._ended_because or f"git {self._name} failed: {said}",
            words=words,
            output=self._kept_output(),
            timed_out=self._timed_out,
            disk_full=says_disk_is_full(words),
        )

    def _too_slow(self) -> None:
        self._timed_out = True
        self._ended_because = f"git {self._name} took longer than {self._timeout:g} seconds."
        self._signal(signal.SIGKILL)

    def _too_much(self) -> None:
        self._ended_because = f"git {self._name} answered more than it may."
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
