"""The soak: a thousand runs of the three-step example while a random fault strikes every few seconds.

    python -m benchmarks.soak [--runs 1000] [--seed 1] [--every 3] [--database postgresql|sqlite]

It ends with a table of the runs, the faults by kind, what was lost and doubled, and how long recovery took; the exit
code is 1 if anything was lost, doubled or wrong. It writes below one temporary folder, which it removes.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from backend.failpoints import OF_EVERY_RUN
from tests.integration.chaos.databases import Database, Sqlite, postgresql
from tests.integration.chaos.judged import Ring
from tests.integration.chaos.session import Session
from tests.integration.chaos.stage import Stage, stage
from tests.integration.chaos.strikes import Fault, Struck, flush, task_at_work
from tests.integration.chaos.verdict import Wrong, recoveries

IN_FLIGHT = 8
SLOW_ONE_IN = 25
"""One run in so many pushes to a slow remote, so that there are heartbeats to strike."""
MOST_ARMED = 3
OUT_OF_THE_BLUE = 0.3
"""The share of faults that strike at any moment, and not at a failpoint."""
END_PATIENCE = 300.0
SMALL_DISK_MEGABYTES = 256
BATCH = 50
VICTIMS = ("worker-a", "worker-b", "web", "beat")


@dataclass(frozen=True)
class Outcome:
    """What a soak found. Seconds for `took` and `lasted`."""

    runs: int
    strikes: list[Struck]
    wrong: list[Wrong]
    took: list[float]
    lasted: float

    def count(self, kind: str) -> int:
        """Count the runs of which something is wrong in this way."""
        return len({wrong.words.partition(":")[0] for wrong in self.wrong if wrong.kind == kind})


class Soak:
    """Feeds a stage with runs and faults."""

    def __init__(self, made: Stage, session: Session, *, rng: random.Random, every: float) -> None:
        self.stage = made
        self.session = session
        self._rng = rng
        self._every = every
        self._next = time.monotonic() + every
        not_here = {Fault.RESTART_DATABASE} if isinstance(made.database, Sqlite) else set()
        self.faults = [fault for fault in Fault if fault not in not_here]
        if not made.has_small_disk:
            self.faults.remove(Fault.FILL_DISK)

    def run(self, runs: int, progress: Progress) -> None:
        """Start so many runs, and strike until the last one has been started and has ended."""
        bar = progress.add_task("runs", total=runs, faults=0)
        while len(self.session.ids) < runs:
            self.stage.tend()
            under_way = self.session.running()
            while under_way < IN_FLIGHT and len(self.session.ids) < runs:
                self.session.feed(slow=self._rng.randrange(SLOW_ONE_IN) == 0)
                under_way += 1
            self._strike_when_due()
            progress.update(bar, completed=len(self.session.ids) - under_way, faults=len(self.stage.plan.struck()))
            time.sleep(0.1)
        self.stage.plan.disarm()

        def over() -> bool:
            under_way = self.session.running()
            progress.update(bar, completed=runs - under_way, faults=len(self.stage.plan.struck()))
            return under_way == 0 and not self.stage.busy

        with suppress(AssertionError):
            # What has not ended by then is counted as lost.
            self.stage.wait(over, patience=END_PATIENCE, what="the end of every run")

    def _strike_when_due(self) -> None:
        if time.monotonic() < self._next or self.stage.busy:
            return
        self._next = time.monotonic() + self._rng.uniform(0.5, 1.5) * self._every
        fault = self._rng.choice(self.faults)
        if self._rng.random() < OUT_OF_THE_BLUE and self._strike_now(fault):
            return
        if len(self.stage.plan.armed()) >= MOST_ARMED:
            self.stage.plan.disarm()
        self.stage.plan.arm(self._rng.choice(OF_EVERY_RUN), fault)

    def _strike_now(self, fault: Fault) -> bool:
        """Strike a process at whatever it does; False for a fault that is only done at a failpoint."""
        victim = self._rng.choice(VICTIMS)
        plan = self.stage.plan
        doing = {
            Fault.KILL_CHILD: lambda: os.kill(self._rng.choice(_pool(self.stage.pid_of(victim))), signal.SIGKILL),
            Fault.KILL_WORKER: lambda: os.killpg(self.stage.pid_of(victim), signal.SIGKILL),
            Fault.ORPHAN: lambda: os.kill(self.stage.pid_of(victim), signal.SIGKILL),
            Fault.FLUSH: lambda: flush(self.stage.data_dir),
            Fault.KILL_BROKER: lambda: os.kill(int(plan.broker_pid.read_text()), signal.SIGKILL),
            Fault.RESTART_DATABASE: lambda: plan.request("restart-database", wait=False),
        }.get(fault)
        if doing is None:
            return False
        plan.record(Struck(point=None, fault=fault, at=time.time(), pid=os.getpid(), role=victim, task=task_at_work()))
        # It may have been struck a moment ago, and not be back yet.
        with suppress(ProcessLookupError, OSError):
            doing()
        return True


def _pool(pid: int) -> list[int]:
    """Return the pool processes of a worker, or the process itself where it has none."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children] or [pid]


def judge(made: Stage, ring: Ring, session: Session, *, scratch: Path, began: float, console: Console) -> Outcome:
    """Look at every run, byte for byte."""
    runs: list[dict[str, Any]] = []
    with console.status("Comparing every archive, repository and history with what was asked for ..."):
        for first in range(0, len(session.ids), BATCH):
            runs += made.ask("runs", session.ids[first : first + BATCH])
        missing = [Wrong("lost", f"{run['id']}: there is no such run") for run in runs if "name" not in run]
        runs = [run for run in runs if "name" in run]
        lasted = max((run["completed"] for run in runs), default=began) - began
        wrong = [*missing, *(each for run in runs for each in ring.judge(run, scratch=scratch))]
        strikes = made.plan.struck()
        took = list(recoveries(strikes, runs).values())
    return Outcome(runs=len(session.ids), strikes=strikes, wrong=wrong, took=took, lasted=lasted)


def table_of(outcome: Outcome, *, title: str) -> Table:
    """Return what is shown at the end."""
    table = Table(title=title)
    table.add_column("")
    table.add_column("", justify="right")
    table.add_row("runs", str(outcome.runs))
    table.add_row("minutes", f"{outcome.lasted / 60:.1f}")
    table.add_row("faults", str(len(outcome.strikes)))
    for fault, count in Counter(strike.fault for strike in outcome.strikes).most_common():
        table.add_row(f"  {fault.value}", str(count))
    table.add_row("failpoints struck", f"{len({s.point for s in outcome.strikes if s.point})} of {len(OF_EVERY_RUN)}")
    for kind in ("lost", "doubled", "wrong"):
        table.add_row(kind, str(outcome.count(kind)))
    cuts = quantiles(outcome.took, n=100, method="inclusive") if len(outcome.took) > 1 else [0.0] * 99
    table.add_row("recovery p50, seconds", f"{cuts[49]:.1f}")
    table.add_row("recovery p99, seconds", f"{cuts[98]:.1f}")
    table.add_row("recovery longest, seconds", f"{max(outcome.took, default=0.0):.1f}")
    return table


@contextmanager
def _sqlite() -> Iterator[Database]:
    yield Sqlite()


def main(
    runs: Annotated[int, typer.Option(help="Runs to start.", min=1)] = 1000,
    seed: Annotated[int, typer.Option(help="Of the choice of faults.")] = 1,
    every: Annotated[float, typer.Option(help="Seconds between two faults, on average.", min=0.1)] = 3.0,
    database: Annotated[str, typer.Option(help="postgresql or sqlite.")] = "postgresql",
) -> None:
    """Run the example many times while faults strike, and tell what became of it."""
    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rm-soak-", ignore_cleanup_errors=True)))
        used = stack.enter_context(_sqlite() if database == "sqlite" else postgresql())
        with console.status("Starting broker, database, web, two workers and beat ..."):
            made = stack.enter_context(
                stage(
                    folder / "d",
                    used,
                    disk_megabytes=SMALL_DISK_MEGABYTES,
                    folders_on_disk=("generated-projects",),
                )
            )
            ring = stack.enter_context(Ring(made))
        session = Session(made, "soak", ring.slow, ring.slow_file)
        began = time.time()
        with Progress(*columns, TextColumn("faults: {task.fields[faults]}"), console=console) as progress:
            Soak(made, session, rng=random.Random(seed), every=every).run(runs, progress)
        outcome = judge(made, ring, session, scratch=folder / "clones", began=began, console=console)
    for wrong in outcome.wrong[:50]:
        console.print(f"{wrong.kind}: {wrong.words}", style="red", markup=False)
    console.print(table_of(outcome, title=f"Soak on {database}, seed {seed}"))
    sys.exit(1 if outcome.wrong else 0)


if __name__ == "__main__":
    typer.run(main)
