"""`repomill projects log` and `repomill projects diff`: what generations changed."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backend.cli.django_setup import setup_django

if TYPE_CHECKING:
    from rich.console import Console

    from backend.apps.projects.models import Project
    from backend.apps.projects.services.history import Comparison, FileChange

STYLES = {"added": "green", "changed": "yellow", "removed": "red"}
SIGNS = {"added": "+", "changed": "~", "removed": "-"}
SHORT = 8

_Project = Annotated[str, typer.Argument(help="Its slug or id.", show_default=False)]
_User = Annotated[str | None, typer.Option("--user", "-u", help="Who asks; default: operator.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def log(
    project: _Project,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many.")] = 20,
    user: _User = None,
    as_json: _Json = False,
) -> None:
    """Show a project's generations, newest first: commit, when, by whom, what each changed, and its size."""
    from rich.console import Console

    found = _project(project, user)
    from backend.apps.projects.services.history import generation_log

    rows = generation_log(project=found, limit=limit)
    if as_json:
        shown = [{**asdict(row), "generation": str(row.generation), "when": row.when.isoformat()} for row in rows]
        typer.echo(json.dumps(shown, indent=2, ensure_ascii=False))
    elif not rows:
        typer.echo("Nothing has been generated for this project yet.")
    else:
        _print_log(rows, Console())


def diff(
    project: _Project,
    old: Annotated[
        str | None, typer.Argument(help="A generation or a commit, or the beginning of its id; default: the newest.")
    ] = None,
    new: Annotated[str | None, typer.Argument(help="Another one, to compare with; default: the one before.")] = None,
    stat: Annotated[bool, typer.Option("--stat", help="Name the files and count their lines.")] = False,
    user: _User = None,
    as_json: _Json = False,
) -> None:
    """Show what a generation changed, or what differs between two.

    Away from a terminal it is a patch that `git apply` reads.
    """
    from rich.console import Console

    found = _project(project, user)
    from backend.apps.projects.services.history import compare

    comparison = compare(project=found, old=old, new=new)
    if as_json:
        typer.echo(json.dumps(_as_json(comparison), indent=2, ensure_ascii=False))
    elif stat:
        _print_stat(comparison.changes(), Console())
    else:
        _print_patch(comparison, Console())


def _project(reference: str, user: str | None) -> Project:
    setup_django()
    from backend.apps.projects.selectors import project_by_slug_or_id
    from backend.cli.acting_user import acting_user

    return project_by_slug_or_id(user=acting_user(user), reference=reference, write=False)


def _as_json(comparison: Comparison) -> dict[str, Any]:
    changes = comparison.changes()
    files = [{**asdict(change), "binary": change.binary} for change in changes]
    return {"old": comparison.old or None, "new": comparison.new, "files": files, **_counts(changes)}


def _counts(changes: list[FileChange]) -> dict[str, int]:
    return {status: sum(change.status == status for change in changes) for status in STYLES}


def _print_log(rows: list[Any], console: Console) -> None:
    from django.utils import timezone
    from rich.filesize import decimal
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("generation", "commit", "when", "by", "files", "changes", "size"):
        table.add_column(name, no_wrap=True, min_width=SHORT if name in {"generation", "commit"} else None)
    for row in rows:
        counts = [(f"{SIGNS[status]}{getattr(row, status)} ", style) for status, style in STYLES.items()]
        table.add_row(
            Text(str(row.generation)[:SHORT]),
            Text(row.commit[:SHORT], "yellow"),
            Text(timezone.localtime(row.when).strftime("%Y-%m-%d %H:%M")),
            Text(row.by),
            Text(str(row.total_files)),
            Text.assemble(*counts),
            Text(decimal(row.total_size)),
        )
    console.print(table)


def _print_stat(changes: list[FileChange], console: Console) -> None:
    from rich.text import Text

    from backend.cli.messages import visible

    for change in changes:
        line = Text.assemble((f"{SIGNS[change.status]} ", STYLES[change.status]), visible(change.path))
        if change.binary:
            line.append("  binary", "dim")
        else:
            line.append(f"  +{change.lines_added}", "green").append(f" -{change.lines_removed}", "red")
        if change.mode_changed:
            line.append("  mode", "dim")
        console.print(line, soft_wrap=True)
    counts = _counts(changes)
    lines = sum((change.lines_added or 0) for change in changes), sum((change.lines_removed or 0) for change in changes)
    summary = ", ".join(f"{number} {status}" for status, number in counts.items() if number) or "nothing changed"
    console.print(Text(f"{summary}; {lines[0]} lines added, {lines[1]} removed", "dim"), soft_wrap=True)


def _print_patch(comparison: Comparison, console: Console) -> None:
    from rich.text import Text

    from backend.cli.messages import visible

    if comparison.old == comparison.new:
        return
    with comparison.patch() as patch:
        for line in patch:
            if not console.is_terminal:
                # Exactly as git says it: what is not shown to a person may be read by `git apply`.
                sys.stdout.buffer.write(line)
                continue
            text = visible(line.decode("utf-8", "replace").rstrip("\n"))
            console.print(Text(text, _style(text)), soft_wrap=True)
    sys.stdout.flush()


def _style(line: str) -> str:
    if line.startswith(("diff ", "index ", "--- ", "+++ ", "new file", "deleted file", "old mode", "new mode")):
        return "bold"
    if line.startswith("@@"):
        return "cyan"
    if line.startswith("Binary files"):
        return "magenta"
    return {"+": "green", "-": "red"}.get(line[:1], "")
