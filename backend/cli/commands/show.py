"""`repomill show`: one execution, whole."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from backend.cli.django_setup import setup_django


def show(
    execution: Annotated[str, typer.Argument(help="Its id, the beginning of its id, or: last")] = "last",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show it until it has ended.")] = False,
    events: Annotated[bool, typer.Option("--events", "-e", help="Show its history, event by event.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show an execution: its steps, each task's attempts, waits and duration, results or the reason of its failure."""
    setup_django()
    from rich.console import Console
    from rich.text import Text

    from backend.apps.workflows.selectors import events_after, find_execution
    from backend.cli.commands.run import follow_to_the_end
    from backend.cli.execution_json import whole
    from backend.cli.execution_view import print_execution
    from backend.cli.following import event_line

    console = Console()
    found = find_execution(execution)
    if follow:
        follow_to_the_end(found.pk, console=console, as_json=as_json, events=events)
    elif as_json:
        typer.echo(json.dumps(whole(found, events=events), indent=2, ensure_ascii=False))
    else:
        print_execution(found, console)
        if events:
            console.print()
            for event in events_after(found.pk, 0):
                console.print(Text("  " + event_line(event)), soft_wrap=True)
