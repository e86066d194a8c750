"""Runs the stack's processes under honcho, and leaves none behind.

honcho starts, for each command, an intermediate process that reads the command's output. Four things are different
here from what honcho does by itself:

- Every intermediate process and every command dies with its parent (see `parent_death`), so that a supervisor killed
  with SIGKILL leaves nobody behind. The kernel watches the parent's thread: `loop` belongs in the main thread.
- SIGTERM goes to a command alone and not to its process group: a worker must be able to let its pool finish.
- Each intermediate process reports through a pipe of its own. honcho's queue has one lock for all writers, and an
  intermediate process that is killed while it holds that lock would silence the others for ever.
- Signals only set a flag. honcho's handler acts at once, and fails on a process that has not reported its id yet.
"""

from __future__ import annotations

import multiprocessing
import os
import shlex
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import Any

from honcho.manager import Manager
from honcho.printer import Message
from honcho.process import Popen, Process

from backend.cli.stack.forked_command import ForkedCommand
from backend.cli.stack.output import StackPrinter
from backend.cli.stack.processes import StackProcess
from backend.config.environment import ROOT
from backend.config.parent_death import die_with_parent

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class SupervisedCommand(Popen):  # type: ignore[misc]  # honcho carries no types
    """A command in a session of its own that dies with the process that started it."""

    def __init__(self, cmd: str, **options: Any) -> None:  # noqa: ANN401
        parent = os.getpid()

        def before_exec() -> None:
            # An ignored signal would stay ignored after the exec, and the command could not be stopped.
            for number in SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            die_with_parent(parent=parent)

        super().__init__(cmd, stdin=-3, preexec_fn=before_exec, **options)


@dataclass(frozen=True)
class EventPipe:
    """The writing end of an intermediate process's pipe, in the shape of the queue that honcho expects."""

    connection: Connection

    def put(self, message: Message) -> None:
        """Send one message; waits while the supervisor is behind."""
        self.connection.send(message)


class SupervisedProcess(Process):  # type: ignore[misc]
    """honcho's process: the intermediate one that reads a command's output."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401
        super().__init__(*arguments, **options)
        # A command line is a string to honcho; a tuple of words is one that is forked.
        forked = partial(ForkedCommand, in_child=self._forget_events)
        self._child_ctor: Callable[..., Any] = SupervisedCommand if isinstance(self.cmd, str) else forked
        self._supervisor = os.getpid()

    def run(self, events: Any = None, ignore_signals: bool = False) -> None:  # noqa: ANN401
        """Start the command and pass its output on until it ends."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        die_with_parent(parent=self._supervisor)
        super().run(events, ignore_signals)

    def _forget_events(self) -> None:
        # Only the intermediate process may hold the pipe open: its end is how the supervisor sees that it was killed.
        self._events.connection.close()


class Supervisor(Manager):  # type: ignore[misc]
    """honcho's manager of processes. After `loop`, `failed` names the process that ended by itself, if one did."""

    def __init__(
        self,
        *,
        printer: StackPrinter,
        fork: bool,
        on_started: Callable[[], None],
        on_tick: Callable[[], None],
        restart: Callable[[str, int], bool] = lambda _name, _status: False,
    ) -> None:
        """Prepare.

        fork: run the commands in forks of this process, which has preloaded what they import.
        on_started: called once, when every process has been forked; threads may be started from then on.
        on_tick: called at least ten times a second while the stack runs; must not block.
        restart: asked with the name and the status of a process that ended by itself whether it is started again; where
        it is not, everything ends.
        """
        super().__init__(printer=printer)
        # Forked, whatever the platform's default: a fork server would be the parent that the children die with.
        self._context = multiprocessing.get_context("fork")
        self._pipes: dict[Connection, str] = {}
        self._patience: dict[str, float] = {}
        self._process_ctor = SupervisedProcess
        self._on_started = on_started
        self._on_tick = on_tick
        self._restart = restart
        self._fork = fork
        self._signals = 0
        self._stopping_since: float | None = None
        self.failed: tuple[str, int] | None = None

    def add(self, process: StackProcess, *, env: dict[str, str]) -> None:
        """Add a process; it starts with `loop`."""
        # honcho's shell is replaced by the command at once.
        command = process.argv if self._fork else f"exec {shlex.join(process.argv)}"
        self.add_process(process.name, command, env=env, cwd=str(ROOT))
        self._patience[process.name] = process.patience

    def loop(self) -> None:
        """Start the processes and run until all of them have ended.

        They end together: after SIGINT, SIGTERM or SIGHUP, or when one of them ends by itself and is not started again.
        A second signal does not wait any longer.
        """
        with self._counting_signals():
            self._start()
            self._on_started()
            while self._pipes:
                self._take_events()
                self._act()

    def fail(self, name: str, status: int) -> None:
        """Stop everything because something beside the processes, which `name` tells, does not work any more."""
        if self._stopping_since is None:
            self.failed = (name, status)
            self._stop()

    def _start(self) -> None:
        for name in self._processes:
            self._start_one(name)

    def _start_one(self, name: str) -> None:
        state = self._processes[name]
        for of_the_last_time in ("pid", "returncode"):
            state.pop(of_the_last_time, None)
        reading, writing = self._context.Pipe(duplex=False)
        run = state["obj"].run
        state["process"] = self._context.Process(name=name, target=run, args=(EventPipe(writing), True))
        state["process"].start()
        writing.close()
        self._pipes[reading] = name

    def _take_events(self) -> None:
        for pipe in wait(list(self._pipes), timeout=0.1):
            assert isinstance(pipe, Connection)  # noqa: S101  (for the type checker: only pipes were given)
            try:
                self._take(pipe.recv())
            except EOFError:
                name = self._pipes.pop(pipe)
                pipe.close()
                self._ended(name)

    def _take(self, message: Message) -> None:
        state = self._processes[message.name]
        if message.type == "line":
            self._printer.write(message)
        elif message.type == "start":
            state["pid"] = message.data["pid"]
            self._system_print(f"{message.name} started (pid {state['pid']})\n")
            if self._stopping_since is not None:
                self._send_sigterm(state["pid"])
        elif message.type == "stop":
            self._stopped(message.name, message.data["returncode"])

    def _ended(self, name: str) -> None:
        """Note the end of an intermediate process. One that was killed stands for its command, which died with it."""
        state = self._processes[name]
        state["process"].join()
        if "returncode" not in state:
            self._stopped(name, state["process"].exitcode)
        if self._stopping_since is None:
            self._start_one(name)

    def _act(self) -> None:
        if self._signals and self._stopping_since is None:
            self._stop()
        if self._stopping_since is None:
            self._on_tick()
            return
        waited = time.monotonic() - self._stopping_since
        for name, state in self._processes.items():
            late = self._signals > 1 or waited > self._patience[name]
            if late and "pid" in state and "returncode" not in state:
                self._procmgr.kill(state["pid"])

    def _stopped(self, name: str, returncode: int) -> None:
        state = self._processes[name]
        state["returncode"] = returncode
        self._system_print(f"{name} stopped (status {returncode})\n")
        if "pid" in state:
            # Whatever the command left in its process group; the group's id stays taken as long as it has members.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(state["pid"], signal.SIGKILL)
        if self._stopping_since is None and not self._restart(name, returncode):
            self.fail(name, returncode)

    def _stop(self) -> None:
        self._stopping_since = time.monotonic()
        for state in self._processes.values():
            if "pid" in state and "returncode" not in state:
                self._send_sigterm(state["pid"])

    def _send_sigterm(self, pid: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)

    @contextmanager
    def _counting_signals(self) -> Iterator[None]:
        def count(_number: int, _frame: FrameType | None) -> None:
            self._signals += 1

        before = {number: signal.signal(number, count) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
