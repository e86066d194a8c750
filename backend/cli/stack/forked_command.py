"""Runs `python -m MODULE ARGUMENTS` in a fork of a process that has the imports behind it.

A stack is six Python processes that import much the same; importing once and forking makes it start in a third of the
time and share its memory. What runs is what the command line says, through `runpy`, in a session of its own.
Linux only: elsewhere a fork without an exec is not safe with the system's libraries.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import runpy
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from backend.config.parent_death import die_with_parent

_PR_SET_NAME = 15


class ForkedCommand:
    """A running command: the part of `subprocess.Popen` that honcho uses."""

    def __init__(self, cmd: Sequence[str], *, env: Mapping[str, str], cwd: str, in_child: Callable[[], None]) -> None:
        """Start a command of the form (python, "-m", module, argument, ...).

        in_child: called in the new process first of all, to let go of what it must not hold.
        """
        self.returncode: int | None = None
        reading, writing = os.pipe()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reading)
            in_child()
            _run(cmd, env=env, cwd=cwd, output=writing, parent=parent)
        os.close(writing)
        self.stdout = os.fdopen(reading, "rb")

    def wait(self) -> int:
        """Wait for the end and return the status; negative for a signal's number."""
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode


def _run(cmd: Sequence[str], *, env: Mapping[str, str], cwd: str, output: int, parent: int) -> NoReturn:
    # Nothing may return or raise out of here: above lies the stack of the process that was forked.
    status = 70
    try:
        os.setsid()
        die_with_parent(parent=parent)
        _name_process(cmd)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        _redirect(output)
        os.environ.clear()
        os.environ.update(env)
        os.chdir(cwd)
        status = _run_module(cmd)
    except BaseException:  # noqa: BLE001  (the outermost frame of a process)
        traceback.print_exc()
    finally:
        os._exit(status)


def _run_module(cmd: Sequence[str]) -> int:
    module, arguments = cmd[2], list(cmd[3:])
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    # What the interpreter does at its end, and os._exit does not: Flower saves its state there.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def _redirect(output: int) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for descriptor in (nothing, output):
        os.close(descriptor)
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        # By the line: what a process says reaches the supervisor when it is said.
        stream = open(descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)


def _name_process(cmd: Sequence[str]) -> None:
    """Give the process a name for `top` and `ps -o comm`; its command line is that of the process that was forked."""
    named = [word.partition("=")[2].partition("@")[0] for word in cmd if word.startswith("--hostname=")]
    kinds = [word for word in cmd if word in {"beat", "flower"}]
    name = f"rm-{(named or kinds or ['web'])[0]}"
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)
