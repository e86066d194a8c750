"""A bulk export as people read it in a terminal, and as JSON for scripts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from time import sleep
from typing import Any

from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from backend.apps.exports.bulk_models import BulkExport, BulkExportItem
from backend.apps.exports.bulk_selectors import (
    items_after,
    progress_of,
    progress_of_each,
    progress_words,
    standing_word,
)
from backend.apps.exports.services.bulk_forecast import Outlook
from backend.apps.exports.services.bulk_reports import FORMATS, report, summary
from backend.cli.execution_view import MARKS, seconds
from backend.cli.messages import visible
from backend.errors import InvalidInput

PAUSE = 0.5
OVER = {"completed", "failed", "cancelled"}
MOST_FAILURES = 20


def bulk_json(bulk: BulkExport) -> dict[str, Any]:
    """Return a bulk export as JSON, without its items."""
    return summary(bulk, now=timezone.now())


def bulks_json(rows: Sequence[BulkExport]) -> list[dict[str, Any]]:
    """Return bulk exports as JSON; how far each is costs two queries for all of them."""
    now = timezone.now()
    progress = progress_of_each(rows, now=now)
    return [summary(row, now=now, progress=progress[row.pk]) for row in rows]


def outlook_lines(found: Outlook) -> list[str]:
    """Return what a bulk export would do, in a few lines."""
    lines = [
        f"{found.deliveries:,} of {found.total:,} projects would be delivered."
        f" Unchanged: {found.unchanged:,}. Nothing generated: {found.nothing_generated:,}."
    ]
    if found.seconds is None or found.ends_at is None:
        lines.append("How long it takes is not known: nothing like it was done yet, and no limit is known to bind it.")
    else:
        took = _span(found.seconds)
        bound = f", bound by {found.bound_by}" if found.bound_by else ""
        lines.append(f"Started now, it would take {took} and end at {_clock(found.ends_at)}{bound}.")
    return lines


def print_list(rows: Sequence[BulkExport]) -> None:
    """Print a table of bulk exports."""
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("", "id", "name", "to", "status", "done", "failed", "skipped", "started", "took"):
        table.add_column(name, no_wrap=True, min_width=8 if name == "id" else None)
    progress = progress_of_each(rows, now=timezone.now())
    for row in rows:
        mark, style = _mark(row)
        counted = progress[row.pk]
        took = seconds((row.completed_at or timezone.now()) - row.started_at) if row.started_at else ""
        table.add_row(
            Text(mark, style),
            Text(str(row.pk)[:8]),
            Text(visible(row.name) or "-"),
            Text(row.export_type),
            Text(standing_word(row), style),
            Text(f"{counted.percent} %"),
            Text(str(counted.failed + counted.in_doubt)),
            Text(str(counted.skipped)),
            Text(_clock(row.created_at)),
            Text(took),
        )
    Console().print(table)


def print_bulk_export(bulk: BulkExport) -> None:
    """Print how far it is, and the first of what has failed."""
    console = Console()
    mark, style = _mark(bulk)
    counted = progress_of(bulk, now=timezone.now())
    head = Text.assemble((f"{mark} ", style), (visible(bulk.name) or str(bulk.pk)[:8], "bold"), "  ")
    head.append(standing_word(bulk), style)
    head.append(f" · to {bulk.export_type} · {bulk.created_by.get_username()}\n  {bulk.pk}", "dim")
    console.print(head)
    console.print(Text("  " + progress_words(counted)), soft_wrap=True)
    if bulk.error:
        console.print(Text(f"  {bulk.error['code']}: {visible(bulk.error['message'])}", "red"), soft_wrap=True)
    wrong = (BulkExportItem.Status.FAILED.value, BulkExportItem.Status.IN_DOUBT.value)
    failures = items_after(bulk, statuses=wrong, limit=MOST_FAILURES)
    for item in failures:
        error = item.error or {}
        told = visible(f"{error.get('code', '')}: {error.get('message', '')}".replace("\n", " "))
        console.print(Text(f"  ✗ {item.project_slug}  {told}", "red"), soft_wrap=True)
    if counted.failed + counted.in_doubt > len(failures):
        console.print(f"  ... all of them: repomill bulk report {str(bulk.pk)[:8]}")
    if counted.failed and bulk.status == "failed":
        console.print(f"  Try them again: repomill bulk retry {str(bulk.pk)[:8]}", style="yellow")


def follow_bulk_export(bulk: BulkExport, *, quiet: bool = False) -> BulkExport:
    """Show a bar until the bulk export has ended, and return it as it ended. quiet: show nothing."""
    console = Console(stderr=True, quiet=quiet)
    bar = Progress(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"), console=console)
    with bar:
        shown = bar.add_task("planning", total=None, told="")
        while True:
            bulk = BulkExport.objects.select_related("created_by").get(pk=bulk.pk)
            counted = progress_of(bulk, now=timezone.now())
            planned = bulk.status != BulkExport.Status.PENDING
            bar.update(
                shown,
                description=standing_word(bulk),
                total=max(counted.total, 1) if planned else None,
                completed=counted.done if counted.total else float(planned),
                told=progress_words(counted),
            )
            if bulk.status in OVER:
                return bulk
            sleep(PAUSE)


def write_report(bulk: BulkExport, *, format: str, output: Path | None) -> None:
    """Write a report to a file or to stdout. Raises InvalidInput for another format."""
    if format not in FORMATS:
        raise InvalidInput(f"There is no report as {format[:50]!r}.", field="--format", expected=list(FORMATS))
    parts = report(bulk, format=format, now=timezone.now())
    if output is None:
        sys.stdout.writelines(parts)
        return
    try:
        with output.open("w", encoding="utf-8", newline="") as file:
            file.writelines(parts)
    except OSError as error:
        raise InvalidInput(f"{output} cannot be written: {error.strerror}.", field="--output") from error
    Console(stderr=True).print(f"Wrote {output}.")


def _mark(bulk: BulkExport) -> tuple[str, str]:
    word = standing_word(bulk)
    return MARKS["running" if word == "planning" else word]


def _clock(when: datetime) -> str:
    return timezone.localtime(when).strftime("%Y-%m-%d %H:%M")


def _span(total: float) -> str:
    minutes = round(total / 60)
    if minutes < 2:
        return f"{total:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
