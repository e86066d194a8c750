"""A schedule as people read it in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils import timezone
from rich.console import Console
from rich.table import Table
from rich.text import Text

from backend.apps.exports.due_times import next_times
from backend.apps.exports.models import ExportSchedule, ScheduleRun
from backend.apps.exports.schedule_selectors import last_runs, rhythm_words
from backend.apps.exports.services.schedules import rhythm_of
from backend.cli.execution_view import MARKS
from backend.cli.messages import visible

_MARKS = {**MARKS, "queued": MARKS["pending"]}


def print_list(rows: Sequence[ExportSchedule]) -> None:
    """Print a table of schedules."""
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("name", "when", "what", "next", "last run"):
        # What a command takes is never cut.
        table.add_column(name, no_wrap=name == "name", overflow="fold")
    runs = last_runs(rows)
    for row in rows:
        run = runs.get(row.pk)
        mark, style = _MARKS[run.status] if run else ("", "")
        last = Text(f"{mark} {run.status} {_clock(run)}", style) if run else Text("-")
        upcoming = f"{timezone.localtime(row.next_due_at):%Y-%m-%d %H:%M}" if row.next_due_at else "soon"
        table.add_row(
            Text(row.name),
            Text(rhythm_words(row)),
            Text(_what(row)),
            Text(upcoming if row.enabled else "paused", "" if row.enabled else "yellow"),
            last,
        )
    Console().print(table)


def print_schedule(row: ExportSchedule) -> None:
    """Print a schedule, its next five times and its last runs."""
    console = Console()
    console.print(Text.assemble((row.name, "bold"), f"  {_what(row)} · {rhythm_words(row)}"), soft_wrap=True)
    console.print(
        f"  overlap: {row.overlap} · catch up: {row.catch_up}"
        f" · keep last: {row.keep_last or '-'} · keep days: {row.keep_days or '-'}"
    )
    if row.enabled:
        for time in next_times(rhythm_of(row), after=timezone.now()):
            console.print(f"  next: {time:%a %Y-%m-%d %H:%M %Z}")
    else:
        console.print("  paused", style="yellow")
    for run in row.runs.all()[:10]:
        mark, style = _MARKS[run.status]
        told = run.reason or visible((run.error or {}).get("message", ""))
        if run.bulk_export_id:
            told = f"repomill bulk show {str(run.bulk_export_id)[:8]}  {told}"
        console.print(Text(f"  {mark} {_clock(run)}  {run.status}  {told}", style), soft_wrap=True)


def _what(row: ExportSchedule) -> str:
    return f"export as {row.export['export_type']}" if row.export else row.work.replace("_", " ")


def _clock(run: ScheduleRun) -> str:
    return f"{timezone.localtime(run.due_at):%Y-%m-%d %H:%M}"
