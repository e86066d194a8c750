"""`repomill schedules`: bulk exports by the clock."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backend.cli.bulk_wish import said_something, wishing
from backend.cli.commands.bulk import AsJson, User
from backend.cli.django_setup import setup_django
from backend.errors import InvalidInput

if TYPE_CHECKING:
    from backend.apps.exports.models import ExportSchedule

schedules = typer.Typer(no_args_is_help=True, help="Start bulk exports by the clock.")
Which = Annotated[str, typer.Argument(help="Its name or id.", show_default=False)]


@schedules.command("create")
@wishing
def create(
    wish: dict[str, Any],
    name: Annotated[str, typer.Argument(help="What to call it.", show_default=False)],
    cron: Annotated[str, typer.Option("--cron", help="minute hour day-of-month month day-of-week")] = "",
    every: Annotated[int | None, typer.Option("--every", help="Seconds from one start to the next.")] = None,
    time_zone: Annotated[str, typer.Option("--time-zone", "-z", help="Whose clock it follows.")] = "UTC",
    overlap: Annotated[
        str, typer.Option("--overlap", help="While the last one runs: skip, queue or replace.")
    ] = "skip",
    catch_up: Annotated[str, typer.Option("--catch-up", help="What was missed: none, one or all.")] = "one",
    catch_up_hours: Annotated[int, typer.Option("--catch-up-hours", min=1, help="How far back.")] = 24,
    keep_last: Annotated[int | None, typer.Option("--keep-last", help="Archives of each project to keep.")] = None,
    keep_days: Annotated[int | None, typer.Option("--keep-days", help="Days to keep an archive for.")] = None,
    notify_url: Annotated[str, typer.Option("--notify-url", help="Is told of failures, signed.")] = "",
    notify_email: Annotated[list[str] | None, typer.Option("--notify-email", help="Is told of failures.")] = None,
    user: User = None,
    as_json: AsJson = False,
) -> None:
    """Make a schedule, and show the next five times that it is due."""
    setup_django()
    from backend.apps.exports.services.schedules import create_schedule
    from backend.cli.acting_user import acting_user

    made = create_schedule(
        owner=acting_user(user),
        name=name,
        export=wish,
        cron=cron,
        interval_seconds=every,
        time_zone=time_zone,
        overlap=overlap,
        catch_up=catch_up,
        catch_up_seconds=catch_up_hours * 3600,
        keep_last=keep_last,
        keep_days=keep_days,
        notify_url=notify_url,
        notify_email=notify_email or [],
    )
    _tell(made, f"Made the schedule {made.name}.", as_json=as_json)


@schedules.command("list")
def list_schedules(user: User = None, as_json: AsJson = False) -> None:
    """List schedules, when each is due next, and how the last run ended."""
    setup_django()
    from django.utils import timezone

    from backend.apps.exports.schedule_selectors import schedules_json, visible_schedules
    from backend.cli.acting_user import acting_user
    from backend.cli.schedule_view import print_list

    found = list(visible_schedules(user=acting_user(user)))
    if as_json:
        typer.echo(json.dumps(schedules_json(found, now=timezone.now()), indent=2))
    elif not found:
        typer.echo('No schedules. Make one: repomill schedules create NAME --cron "0 2 * * *" --to zip')
    else:
        print_list(found)


@schedules.command("show")
def show(which: Which, user: User = None, as_json: AsJson = False) -> None:
    """Show a schedule, its next five times and its last runs."""
    _tell(_found(which, user), "", as_json=as_json)


@schedules.command("change")
@wishing
def change(
    context: typer.Context,
    wish: dict[str, Any],
    which: Which,
    name: Annotated[str | None, typer.Option("--name", help="What to call it from now on.")] = None,
    cron: Annotated[str | None, typer.Option("--cron", help="In the place of the rhythm it has.")] = None,
    every: Annotated[int | None, typer.Option("--every", help="Seconds; in the place of the rhythm it has.")] = None,
    time_zone: Annotated[str | None, typer.Option("--time-zone", "-z", help="Whose clock it follows.")] = None,
    overlap: Annotated[str | None, typer.Option("--overlap", help="skip, queue or replace.")] = None,
    catch_up: Annotated[str | None, typer.Option("--catch-up", help="none, one or all.")] = None,
    catch_up_hours: Annotated[int | None, typer.Option("--catch-up-hours", min=1, help="How far back.")] = None,
    keep_last: Annotated[int | None, typer.Option("--keep-last", min=0, help="0: whatever their number.")] = None,
    keep_days: Annotated[int | None, typer.Option("--keep-days", min=0, help="0: whatever their age.")] = None,
    notify_url: Annotated[str | None, typer.Option("--notify-url", help='"" tells nobody any more.')] = None,
    notify_email: Annotated[list[str] | None, typer.Option("--notify-email", help='"" writes to nobody.')] = None,
    user: User = None,
    as_json: AsJson = False,
) -> None:
    """Change what is given here, and leave the rest; what runs goes on as it began.

    What it exports is said whole: with one of the options from --to to --window, the others of them count too.
    """
    asked = {
        "name": name,
        "cron": cron,
        "interval_seconds": every,
        "time_zone": time_zone,
        "overlap": overlap,
        "catch_up": catch_up,
        "catch_up_seconds": catch_up_hours and catch_up_hours * 3600,
        "notify_url": notify_url,
        "notify_email": notify_email and [address for address in notify_email if address],
        "export": wish if said_something(context) else None,
    }
    changes: dict[str, Any] = {column: value for column, value in asked.items() if value is not None}
    kept = {"keep_last": keep_last, "keep_days": keep_days}
    changes |= {column: number or None for column, number in kept.items() if number is not None}
    if not changes:
        raise InvalidInput(
            "This changes nothing.", hint="Say what is to be otherwise: repomill schedules change --help"
        )
    found = _found(which, user)
    from backend.apps.exports.services.schedules import change_schedule

    _tell(change_schedule(found, **changes), f"Changed {found.name}.", as_json=as_json)


@schedules.command("pause")
def pause(which: Which, user: User = None, as_json: AsJson = False) -> None:
    """Let it start nothing by itself; what runs goes on."""
    found = _found(which, user)
    from backend.apps.exports.services.schedules import pause_schedule

    _tell(pause_schedule(found), f"Paused {found.name}.", as_json=as_json)


@schedules.command("resume")
def resume(which: Which, user: User = None, as_json: AsJson = False) -> None:
    """Let it start again by the clock, from now on."""
    found = _found(which, user)
    from backend.apps.exports.services.schedules import resume_schedule

    _tell(resume_schedule(found), f"{found.name} goes on.", as_json=as_json)


@schedules.command("run")
def run(which: Which, user: User = None, as_json: AsJson = False) -> None:
    """Have it start within seconds, whatever the clock says."""
    found = _found(which, user)
    from backend.apps.exports.schedule_selectors import run_json
    from backend.apps.exports.services.schedules import run_now

    made = run_now(found)
    typer.echo(json.dumps(run_json(made), indent=2) if as_json else f"{found.name} starts within seconds.")


@schedules.command("delete")
def delete(which: Which, user: User = None) -> None:
    """Remove a schedule and its history; what it has started, and the archives, stay."""
    found = _found(which, user)
    from backend.apps.exports.services.schedules import delete_schedule

    delete_schedule(found)
    typer.echo(f"Removed the schedule {found.name}.")


@schedules.command("secret")
def secret(which: Which, user: User = None) -> None:
    """Print what signs the schedule's notifications, for whoever checks them."""
    found = _found(which, user)
    from backend.apps.exports.services.notifying import signing_key

    typer.echo(signing_key(found))


def _found(which: str, user: str | None) -> ExportSchedule:
    setup_django()
    from backend.apps.exports.schedule_selectors import find_schedule
    from backend.cli.acting_user import acting_user

    return find_schedule(user=acting_user(user), reference=which)


def _tell(row: ExportSchedule, said: str, *, as_json: bool) -> None:
    from django.utils import timezone

    from backend.apps.exports.schedule_selectors import schedule_json
    from backend.cli.schedule_view import print_schedule

    if as_json:
        typer.echo(json.dumps(schedule_json(row, now=timezone.now()), indent=2, ensure_ascii=False))
        return
    if said:
        typer.echo(said)
    print_schedule(row)
