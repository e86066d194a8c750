"""Runs every measurement and prints one table of ratios: `python -m benchmarks [--quick] [--only NAME] [--sqlite]`."""

from __future__ import annotations

import argparse
import importlib
import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.measure import Row
from tests.integration.postgresql import postgresql

MEASUREMENTS = ("chain", "generation")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repetitions: shows that it runs, not how fast")
    parser.add_argument("--only", choices=MEASUREMENTS, help="one measurement alone")
    parser.add_argument("--sqlite", action="store_true", help="on SQLite; the default is PostgreSQL")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="rmb-"))
        os.environ["REPOMILL_DATA_DIR"] = folder
        os.environ["DJANGO_SETTINGS_MODULE"] = "backend.config.settings.base"
        os.environ.pop("DATABASE_URL", None)
        if not options.sqlite:
            os.environ["DATABASE_URL"] = stack.enter_context(postgresql())
        rows = _measure(Path(folder), options.quick, [options.only] if options.only else MEASUREMENTS)
    Console(width=130).print(_table(rows))


def _measure(folder: Path, quick: bool, names: Sequence[str]) -> list[Row]:
    import django

    django.setup()

    rows: list[Row] = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        for name in names:
            measure = importlib.import_module(f"benchmarks.{name}").measure
            task = progress.add_task(f"measuring {name}", total=None)
            rows += measure(folder, quick=quick)
            progress.remove_task(task)
    return rows


def _table(rows: list[Row]) -> Table:
    table = Table(title="Repomill against the plain thing, measured in turn in one run", title_justify="left", box=None)
    for name in ("what", "Repomill", "against", "", "ratio", "spread", "better"):
        table.add_column(name, no_wrap=True)
    for row in rows:
        low, high = row.spread
        table.add_row(
            row.what, row.ours, row.against, row.theirs, f"{row.ratio:.2f}", f"{low:.2f} to {high:.2f}", row.better
        )
    return table


if __name__ == "__main__":
    main()
