"""Runs every measurement and prints one table of ratios: `python -m benchmarks [--quick]`."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.measure import Row


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repetitions: shows that it runs, not how fast")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory(prefix="rmb-") as folder:
        os.environ["REPOMILL_DATA_DIR"] = folder
        os.environ["DJANGO_SETTINGS_MODULE"] = "backend.config.settings.base"
        rows = _measure(Path(folder), quick)
    Console(width=130).print(_table(rows))


def _measure(folder: Path, quick: bool) -> list[Row]:
    import django

    django.setup()
    from benchmarks import chain, generation

    rows: list[Row] = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        for name, measure in (("chains", chain.measure), ("trees", generation.measure)):
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
