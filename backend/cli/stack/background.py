"""A stack for as long as a block of code runs: for commands and tests that need one and find none running."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from backend.cli.errors import ProcessDied, StackNotReady
from backend.cli.stack.lock import StackInfo, running_stack
from backend.cli.stack.preflight import prepare_data_folder
from backend.config.environment import ROOT
from backend.config.parent_death import die_with_parent

STOP_PATIENCE = 30.0
"""Seconds that the stack gets to stop; it gives its workers ten."""


@contextmanager
def background_stack(data_dir: Path, *, patience: float = 60.0, flower: bool = True) -> Iterator[StackInfo]:
    """Yield the stack that runs on a data folder, or start one on free ports and stop it afterwards.

    patience: seconds that a started stack gets to become ready. Called from the main thread (see `parent_death`).
    Raises ProcessDied when the stack ends, StackNotReady when it is not ready in time.
    """
    running = running_stack(data_dir)
    if running is not None:
        yield _wait(data_dir, None, patience=patience)
        return
    command = [sys.executable, "-m", "backend.cli", "up", "--quiet", "--port", "0", "--flower-port", "0"]
    prepare_data_folder(data_dir)
    log = data_dir / "log" / "up.log"
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command if flower else [*command, "--no-flower"],
            cwd=ROOT,
            env=os.environ | {"REPOMILL_DATA_DIR": str(data_dir)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # Ctrl-C is the caller's: it ends the block, and the block ends the stack.
            start_new_session=True,
            preexec_fn=partial(die_with_parent, parent=os.getpid()),
        )
    try:
        yield _wait(data_dir, process, patience=patience, log=log)
    finally:
        process.terminate()
        try:
            process.wait(STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(
    data_dir: Path, process: subprocess.Popen[bytes] | None, *, patience: float, log: Path | None = None
) -> StackInfo:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        info = running_stack(data_dir)
        if info is not None and info.ready:
            return info
        if process is not None and process.poll() is not None:
            raise ProcessDied(f"The stack ended while starting: {_last_line(log)}", hint=f"Read {log}")
        time.sleep(0.05)
    raise StackNotReady(
        f"The stack was not ready after {patience:.0f} s.", hint=f"Look at the logs in {data_dir / 'log'}."
    )


def _last_line(log: Path | None) -> str:
    lines = [line for line in (log.read_text("utf-8", "replace").splitlines() if log else []) if line.strip()]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return (errors or lines or ["it said nothing"])[-1]
