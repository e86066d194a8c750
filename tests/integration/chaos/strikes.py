"""Strikes: at which failpoint which fault is done, once; and the record of it.

A strike that waits is a file named after its failpoint. Whoever reaches that failpoint first takes the file by renaming
it, which one process alone can do, writes down what it strikes, and does the fault to itself or around it. What it
cannot do itself (start a database again, let a stopped process go on) it asks the driver for, by a file as well.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from uuid import uuid4

from backend.cli.stack.broker import ask
from backend.failpoints import Failpoint
from tests.processes import is_there

ANSWER_PATIENCE = 30.0
"""Seconds that a struck process waits for the driver."""


class Fault(Enum):
    """What is done at a failpoint."""

    KILL_CHILD = "kill -9 of the process that works"
    KILL_WORKER = "kill -9 of the worker with its whole pool"
    ORPHAN = "kill -9 of the worker's main process alone; its pool lives on for a while"
    STOP = "SIGSTOP past the lease, then SIGCONT"
    FLUSH = "FLUSHALL"
    KILL_BROKER = "kill -9 of the broker, and its restart"
    RESTART_DATABASE = "the database goes down at once and comes back"
    FILL_DISK = "the disk of workspaces, git stores, archives and repositories is full for a while"
    WIPE = "all workspaces vanish under the running processes"
    NEW_CONTAINER = "the worker is killed and all workspaces vanish"


PROCESSES = [Fault.KILL_CHILD, Fault.KILL_WORKER, Fault.ORPHAN, Fault.STOP]
"""Faults of the processes that work."""
SURROUNDINGS = [fault for fault in Fault if fault not in PROCESSES]
"""Faults of what they rely on."""


@dataclass(frozen=True)
class Struck:
    """A strike that was done.

    point: None for one out of the blue. at: seconds since the epoch. task: the TaskExecution it struck, if any.
    """

    point: Failpoint | None
    fault: Fault
    at: float
    pid: int
    role: str
    task: str | None


class Plan:
    """The folder through which the driver and the processes of a stage speak about strikes."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.waiting = data_dir / "chaos" / "waiting"
        self.done = data_dir / "chaos" / "done"
        self.requests = data_dir / "chaos" / "requests"
        self.broker_pid = data_dir / "chaos" / "broker.pid"

    def create(self) -> None:
        """Make the folders."""
        for folder in (self.waiting, self.done, self.requests):
            folder.mkdir(parents=True, exist_ok=True)

    def arm(self, point: Failpoint, fault: Fault) -> None:
        """Have the next process that reaches `point` suffer `fault`."""
        part = self.waiting / f".{point.name}"
        part.write_text(fault.name)
        part.rename(self.waiting / point.name)

    def disarm(self) -> None:
        """Take away what has not struck."""
        for path in self.waiting.iterdir():
            path.unlink(missing_ok=True)

    def armed(self) -> set[Failpoint]:
        """Return the failpoints that still wait, or have just been reached and are not yet recorded."""
        return {Failpoint[path.name.lstrip(".").partition("-")[0]] for path in self.waiting.iterdir()}

    def take(self, point: Failpoint) -> Fault | None:
        """Take the strike that waits at a failpoint, if there is one: only one process gets it, and records it."""
        taken = self.waiting / f".{point.name}-{os.getpid()}"
        try:
            (self.waiting / point.name).rename(taken)
        except FileNotFoundError:
            return None
        return Fault[taken.read_text()]

    def arm_lost(self) -> None:
        """Arm anew what a process took that ended before it could record it, since another fault met it then."""
        for taken in list(self.waiting.iterdir()):
            name, _, pid = taken.name.removeprefix(".").partition("-")
            if not pid or is_there(int(pid)):
                continue
            if any(path.name.endswith(f"-{pid}") for path in self.done.iterdir()):
                taken.unlink(missing_ok=True)
            else:
                taken.rename(self.waiting / name)

    def record(self, struck: Struck) -> None:
        """Write down a strike, before it is done."""
        point = struck.point.name if struck.point else None
        text = json.dumps(asdict(struck) | {"point": point, "fault": struck.fault.name})
        part = self.done / f".{uuid4()}"
        part.write_text(text)
        part.rename(self.done / f"{struck.at:.6f}-{struck.pid}")
        if struck.point is not None:
            (self.waiting / f".{struck.point.name}-{struck.pid}").unlink(missing_ok=True)

    def struck(self) -> list[Struck]:
        """Return what has been struck, in order."""
        found = []
        for path in sorted(self.done.iterdir()):
            if not path.name.startswith("."):
                said = json.loads(path.read_text())
                point = Failpoint[said["point"]] if said["point"] else None
                found.append(Struck(**said | {"point": point, "fault": Fault[said["fault"]]}))
        return found

    def request(self, name: str, *, wait: bool) -> None:
        """Ask the driver for something; with `wait`, until it has done it."""
        path = self.requests / name
        path.touch()
        deadline = time.monotonic() + ANSWER_PATIENCE
        while wait and path.exists() and time.monotonic() < deadline:
            time.sleep(0.02)

    @property
    def filler(self) -> Path:
        """The file that takes all the space there is."""
        return self.data_dir / "generated-projects" / ".filler"


class Striker:
    """The hook of a process: looks for a strike at each failpoint that is reached, and does it."""

    def __init__(self, plan: Plan, *, role: str) -> None:
        self.plan = plan
        self.role = role
        self._faults: dict[Fault, Callable[[], None]] = {
            Fault.KILL_CHILD: lambda: _end(os.getpid()),
            Fault.KILL_WORKER: self._kill_worker,
            Fault.ORPHAN: self._orphan,
            Fault.STOP: self._stop,
            Fault.FLUSH: lambda: flush(plan.data_dir),
            Fault.KILL_BROKER: lambda: os.kill(int(plan.broker_pid.read_text()), signal.SIGKILL),
            Fault.RESTART_DATABASE: lambda: plan.request("restart-database", wait=True),
            Fault.FILL_DISK: self._fill,
            Fault.WIPE: lambda: wipe(plan.data_dir),
            Fault.NEW_CONTAINER: self._new_container,
        }

    def __call__(self, point: Failpoint) -> None:
        """Suffer what waits at this failpoint."""
        fault = self.plan.take(point)
        if fault is None:
            return
        self.plan.record(
            Struck(point=point, fault=fault, at=time.time(), pid=os.getpid(), role=self.role, task=task_at_work())
        )
        self._faults[fault]()

    def _kill_worker(self) -> None:
        os.killpg(os.getpgid(0), signal.SIGKILL)

    def _orphan(self) -> None:
        leader = os.getpgid(0)
        _end(leader)

    def _stop(self) -> None:
        self.plan.request(f"continue-{os.getpid()}", wait=False)
        os.kill(os.getpid(), signal.SIGSTOP)

    def _fill(self) -> None:
        fill(self.plan.filler)
        self.plan.request("free-space", wait=False)

    def _new_container(self) -> None:
        wipe(self.plan.data_dir)
        self._kill_worker()


def task_at_work() -> str | None:
    """Return the id of the TaskExecution that this thread works for, or None."""
    name = threading.current_thread().name
    if name.startswith("heartbeat-"):
        return name.removeprefix("heartbeat-")
    from celery import current_task

    if not current_task or str(current_task.name).startswith("maintenance."):
        return None
    return str(current_task.request.id)


def flush(data_dir: Path) -> None:
    """Empty the broker."""
    ask(data_dir / "redis.sock", "FLUSHALL")


def wipe(data_dir: Path) -> None:
    """Remove all workspaces, as a new container does that has none."""
    for workspace in (data_dir / "generated-projects").iterdir():
        if workspace.name.startswith("."):
            continue
        shutil.rmtree(workspace, ignore_errors=True)


def fill(path: Path) -> None:
    """Write until the disk takes no more."""
    with path.open("ab", buffering=0) as file:
        block = bytes(64 * 1024)
        while block:
            try:
                file.write(block)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                block = block[: len(block) // 2]


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
