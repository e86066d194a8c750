"""`repomill bulk`: exports many projects at once, and shows how far that is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backend.cli import exit_codes
from backend.cli.bulk_wish import wishing
from backend.cli.django_setup import setup_django

if TYPE_CHECKING:
    from backend.apps.exports.models import BulkExport

bulk = typer.Typer(no_args_is_help=True, help="Export many projects at once: to the storage, or to a host.")

Which = Annotated[str, typer.Argument(help="Its id, the beginning of its id, or: last", show_default=False)]
User = Annotated[str | None, typer.Option("--user", "-u", help="For whom; default: operator.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Show it until it has ended.")]


@bulk.command("plan")
@wishing
def plan(
    wish: dict[str, Any],
    user: User = None,
    as_json: AsJson = False,
) -> None:
    """Say what a bulk export would do, and when it would end. Nothing is started."""
    setup_django()
    from django.utils import timezone

    from backend.apps.exports.services.bulk_forecast import outlook, outlook_json
    from backend.cli.acting_user import acting_user
    from backend.cli.bulk_view import outlook_lines

    found = outlook(user=acting_user(user), now=timezone.now(), **wish)
    if as_json:
        typer.echo(json.dumps(outlook_json(found), indent=2))
        return
    for line in outlook_lines(found):
        typer.echo(line)


@bulk.command("start")
@wishing
def start(
    wish: dict[str, Any],
    name: Annotated[str, typer.Option("--name", "-n", help="What to call it.")] = "",
    key: Annotated[
        str | None, typer.Option("--key", help="Names it for ever: the same key again starts nothing more.")
    ] = None,
    user: User = None,
    follow: Follow = False,
    as_json: AsJson = False,
) -> None:
    """Start a bulk export. What the destination has already is skipped, and said so.

    Exit code 1 where --follow sees items fail, or somebody cancel it.
    """
    setup_django()
    from backend.apps.exports.services.bulk_exports import start_bulk_export
    from backend.cli.acting_user import acting_user

    started = start_bulk_export(user=acting_user(user), key=key, name=name, **wish)
    _tell(started, "Started the bulk export {id}.", follow=follow, as_json=as_json)


@bulk.command("list")
def list_bulk_exports(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many.")] = 20,
    user: User = None,
    as_json: AsJson = False,
) -> None:
    """List bulk exports, newest first."""
    setup_django()
    from backend.apps.exports.bulk_selectors import visible_bulk_exports
    from backend.cli.acting_user import acting_user
    from backend.cli.bulk_view import bulks_json, print_list

    found = list(visible_bulk_exports(user=acting_user(user))[:limit])
    if as_json:
        typer.echo(json.dumps(bulks_json(found), indent=2, ensure_ascii=False))
    elif not found:
        typer.echo("No bulk exports. Start one: repomill bulk start --to zip")
    else:
        print_list(found)


@bulk.command("show")
def show(which: Which, user: User = None, follow: Follow = False, as_json: AsJson = False) -> None:
    """Show how far a bulk export is, and what has failed."""
    _tell(_found(which, user), "", follow=follow, as_json=as_json)


@bulk.command("pause")
def pause(which: Which, user: User = None, as_json: AsJson = False) -> None:
    """Let nothing more of it begin; what runs is let finish."""
    found = _found(which, user)
    from backend.apps.exports.services.bulk_exports import pause_bulk_export

    _tell(pause_bulk_export(found), "Paused {id}; what runs is let finish.", as_json=as_json)


@bulk.command("resume")
def resume(which: Which, user: User = None, follow: Follow = False, as_json: AsJson = False) -> None:
    """Let a paused one go on."""
    found = _found(which, user)
    from backend.apps.exports.services.bulk_exports import resume_bulk_export

    _tell(resume_bulk_export(found), "{id} goes on.", follow=follow, as_json=as_json)


@bulk.command("cancel")
def cancel(which: Which, user: User = None, as_json: AsJson = False) -> None:
    """Cancel it: what waits ends at once, what runs within seconds. What was delivered stays."""
    found = _found(which, user)
    from backend.apps.exports.services.bulk_exports import cancel_bulk_export

    changed = cancel_bulk_export(found)
    said = "Cancelled {id}." if changed.status == "cancelled" else "Cancelling {id}: what runs stops in seconds."
    _tell(changed, said, as_json=as_json)


@bulk.command("retry")
def retry(which: Which, user: User = None, follow: Follow = False, as_json: AsJson = False) -> None:
    """Try again what has failed; nothing that was delivered is delivered twice."""
    found = _found(which, user)
    from backend.apps.exports.services.bulk_exports import retry_bulk_export

    _tell(retry_bulk_export(found), "What failed of {id} is tried again.", follow=follow, as_json=as_json)


@bulk.command("report")
def report(
    which: Which,
    format: Annotated[
        str, typer.Option("--format", help="json, csv, or manifest: every archive's digest, for sha256sum --check.")
    ] = "csv",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it to this file.")] = None,
    user: User = None,
    as_json: AsJson = False,
) -> None:
    """Write what became of every item."""
    found = _found(which, user)
    from backend.cli.bulk_view import write_report

    write_report(found, format="json" if as_json else format, output=output)


def _found(which: str, user: str | None) -> BulkExport:
    setup_django()
    from backend.apps.exports.bulk_selectors import find_bulk_export
    from backend.cli.acting_user import acting_user

    return find_bulk_export(user=acting_user(user), reference=which)


def _tell(row: BulkExport, said: str, *, follow: bool = False, as_json: bool) -> None:
    """Say what was done, or show the bulk export; `{id}` stands for its short id."""
    from backend.cli.bulk_view import bulk_json, follow_bulk_export, print_bulk_export

    if follow:
        row = follow_bulk_export(row, quiet=as_json)
    if as_json:
        typer.echo(json.dumps(bulk_json(row), indent=2, ensure_ascii=False))
    elif said and not follow:
        typer.echo(said.format(id=str(row.pk)[:8]))
    else:
        print_bulk_export(row)
    if follow and row.status != "completed":
        raise typer.Exit(exit_codes.FAILED)
