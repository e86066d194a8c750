"""Runs the measurements and prints one table of ratios: `python -m benchmarks [--quick] [--sqlite] [--only ...]`."""

from __future__ import annotations

import argparse
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.measure import Row, Skipped, measure_here
from tests.integration.postgresql import PostgreSQL

MEASUREMENTS = {
    "chains": "benchmarks.chain",
    "rest": "benchmarks.rest",
    "pages": "benchmarks.pages",
    "console": "benchmarks.console",
    "endurance": "benchmarks.endurance",
    "growth": "benchmarks.growth",
    "trees": "benchmarks.generation",
    "regeneration": "benchmarks.regeneration",
    "templates": "benchmarks.templates",
    "delivery": "benchmarks.delivery",
    "memory": "benchmarks.memory",
    "start": "benchmarks.start",
    "telemetry": "benchmarks.telemetry",
    "downloads": "benchmarks.downloads",
    "bulk": "benchmarks.bulk",
    "floors": "benchmarks.floors",
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repetitions: shows that it runs, not how fast")
    parser.add_argument("--only", nargs="+", choices=MEASUREMENTS, default=list(MEASUREMENTS), help="only these")
    parser.add_argument("--sqlite", action="store_true", help="on SQLite; the default is a PostgreSQL of its own")
    chosen = parser.parse_args()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="rmb-"))
        server = None if chosen.sqlite else stack.enter_context(PostgreSQL())
        os.environ["DJANGO_SETTINGS_MODULE"] = "backend.config.settings.base"
        # The git server that is pushed to listens on this machine.
        os.environ["REPOMILL_GIT_INTERNAL_HOSTS"] = "127.0.0.1"
        found = _measure(Path(folder), server, chosen.quick, chosen.only)
    console = Console(width=150)
    console.print(_table([row for row in found if isinstance(row, Row)]))
    for left_out in found:
        if isinstance(left_out, Skipped):
            console.print(f"skipped: {left_out.what}: {left_out.why}")


def _measure(folder: Path, server: PostgreSQL | None, quick: bool, only: list[str]) -> list[Row | Skipped]:
    """Make each measurement in a process, a data folder and a database of its own."""
    rows: list[Row | Skipped] = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        for name in only:
            task = progress.add_task(f"measuring {name}", total=None)
            (own := folder / name).mkdir()
            os.environ["REPOMILL_DATA_DIR"] = str(own)
            os.environ["DATABASE_URL"] = server.create_database() if server else ""
            with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as process:
                rows += process.submit(measure_here, MEASUREMENTS[name], own, quick).result()
            progress.remove_task(task)
    return rows


def _table(rows: list[Row]) -> Table:
    table = Table(title="Repomill against the plain thing, measured in turn in one run", title_justify="left", box=None)
    for name in ("what", "Repomill", "against", "", "ratio", "spread", "better", "mark"):
        table.add_column(name, no_wrap=True)
    for row in rows:
        low, high = row.spread
        table.add_row(
            *(row.what, row.ours, row.against, row.theirs, f"{row.ratio:.2f}", f"{low:.2f} to {high:.2f}", row.better),
            "" if row.mark is None else f"{row.mark:g} {'reached' if row.reached else 'MISSED'}",
        )
    return table


if __name__ == "__main__":
    main()
