"""`repomill executions`: what ran and what runs."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from backend.cli.django_setup import setup_django
from backend.cli.messages import visible
from backend.errors import InvalidInput


def executions(
    status: Annotated[
        str | None, typer.Option("--status", "-s", help="Only: pending, running, completed, failed or cancelled.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List executions, newest first."""
    setup_django()
    from django.utils import timezone
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from backend.apps.workflows.models import WorkflowExecution
    from backend.apps.workflows.selectors import executions as all_executions
    from backend.apps.workflows.selectors import standing_word
    from backend.cli.execution_json import brief
    from backend.cli.execution_view import MARKS, seconds

    rows = all_executions()
    if status is not None:
        if status not in WorkflowExecution.Status.values:
            raise InvalidInput(
                f"{status!r} is no status.", field="--status", expected="one of " + ", ".join(WorkflowExecution.Status)
            )
        rows = rows.filter(status=status)
    found = list(rows[:limit])
    if as_json:
        typer.echo(json.dumps([brief(row) for row in found], indent=2, ensure_ascii=False))
        return
    if not found:
        typer.echo("No executions. Start one: repomill run FILE")
        return
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("", "id", "workflow", "project", "status", "step", "started", "took"):
        # What a command takes is never cut; the names give way first.
        table.add_column(name, no_wrap=True, min_width=8 if name == "id" else None)
    for row in found:
        word = standing_word(row)
        mark, style = MARKS[word]
        begun = row.started_at or row.created_at
        table.add_row(
            Text(mark, style),
            Text(str(row.pk)[:8]),
            Text(visible(f"{row.workflow.name} v{row.version.number}")),
            Text(visible(row.project_name) or "-"),
            Text(word, style),
            Text(row.current_step or (row.error or {}).get("step", "")),
            Text(timezone.localtime(begun).strftime("%m-%d %H:%M")),
            Text(seconds((row.completed_at or timezone.now()) - begun)),
        )
    Console().print(table)
