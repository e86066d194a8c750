"""Making, pausing and removing schedules, and starting one by hand. What the clock starts is `schedule_runs`'s."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.exports.due_times import Rhythm, due_after, read_rhythm
from backend.apps.exports.schedule_models import ExportSchedule, ScheduleRun
from backend.apps.exports.services.bulk_exports import check_bulk_export
from backend.apps.projects.selectors import SLUG
from backend.errors import Conflict, InvalidInput
from backend.origins import objection, read_web_address

Overlap = ExportSchedule.Overlap
CatchUp = ExportSchedule.CatchUp
MOST = {"catch_up_seconds": 2_147_483_647, "keep_last": 2_147_483_647, "keep_days": 36_500}
"""What a column holds, and how far back a date can lie."""


def create_schedule(
    *,
    owner: User,
    name: str,
    export: Mapping[str, Any],
    cron: str = "",
    interval_seconds: int | None = None,
    time_zone: str = "UTC",
    overlap: str = Overlap.SKIP,
    catch_up: str = CatchUp.ONE,
    catch_up_seconds: int = 86_400,
    keep_last: int | None = None,
    keep_days: int | None = None,
    notify_url: str = "",
    notify_email: Sequence[str] = (),
) -> ExportSchedule:
    """Make a schedule that starts bulk exports on behalf of its owner.

    export: what they are to be, as `start_bulk_export` takes it: selection, export_type, destination, skip_unchanged,
        window. cron, or interval_seconds: when, by the clock of time_zone. overlap: skip, queue or replace.
        catch_up: none, one or all of what was missed in the last catch_up_seconds. keep_last, keep_days: how many of a
        project's archives are kept, and for how long; an archive that either keeps is kept, and so is the last one.
    Raises InvalidInput, which names the field, NotFound as `start_bulk_export` does, Conflict for a name that is taken.
    """
    schedule = ExportSchedule(
        name=name,
        owner=owner,
        export=dict(export),
        cron=cron,
        interval_seconds=interval_seconds,
        time_zone=time_zone,
        overlap=overlap,
        catch_up=catch_up,
        catch_up_seconds=catch_up_seconds,
        keep_last=keep_last,
        keep_days=keep_days,
        notify_url=notify_url,
        notify_email=list(notify_email),
    )
    _check(schedule)
    try:
        with transaction.atomic():
            schedule.save(force_insert=True)
            # An interval counts from the time that was written just now, and not from a moment before it.
            schedule.next_due_at = due_after(rhythm_of(schedule), schedule.created_at)
            schedule.save(update_fields=["next_due_at"])
    except IntegrityError:
        raise _taken(name) from None
    return schedule


def change_schedule(schedule: ExportSchedule, **changes: Any) -> ExportSchedule:  # noqa: ANN401
    """Change a schedule. changes: as for `create_schedule`, those alone that are to be other than they are.

    A cron expression takes the place of an interval, and the other way round. What runs goes on as it began. When it is
    due next is worked out anew where the rhythm has changed. The owner stays, and it is checked against what the owner
    may do. Raises as `create_schedule` does, and Conflict where it was changed meanwhile.
    """
    before = schedule.updated_at, rhythm_of(schedule)
    if schedule.owner is None and {"name", "export"} & changes.keys():
        raise Conflict(f"The schedule {schedule.name!r} belongs to the product.", hint="Change when it is due.")
    if changes.get("cron"):
        changes.setdefault("interval_seconds", None)
    elif changes.get("interval_seconds") is not None:
        changes.setdefault("cron", "")
    for name, value in changes.items():
        setattr(schedule, name, value)
    _check(schedule)
    now = timezone.now()
    written = {name: getattr(schedule, name) for name in {*changes, "export"}}
    if schedule.enabled and rhythm_of(schedule) != before[1]:
        written["next_due_at"] = due_after(rhythm_of(schedule), now)
    try:
        with transaction.atomic():
            same = ExportSchedule.objects.filter(pk=schedule.pk, updated_at=before[0], enabled=schedule.enabled)
            changed = same.update(**written, updated_at=now)
    except IntegrityError:
        raise _taken(schedule.name) from None
    if not changed:
        raise Conflict("The schedule was changed meanwhile.", hint="Read it again.")
    return _again(schedule)


def rhythm_of(schedule: ExportSchedule) -> Rhythm:
    """Return when a schedule is due. An interval counts from when the schedule was made."""
    return Rhythm(
        cron=schedule.cron,
        interval_seconds=schedule.interval_seconds,
        time_zone=schedule.time_zone,
        begins_at=schedule.created_at,
    )


def pause_schedule(schedule: ExportSchedule) -> ExportSchedule:
    """Let it start nothing by itself; what runs goes on, and what waits for its end is given up.

    Raises Conflict where it is paused.
    """
    with transaction.atomic():
        if not ExportSchedule.objects.filter(pk=schedule.pk, enabled=True).update(enabled=False, next_due_at=None):
            raise Conflict("The schedule is paused already.", hint="Let it go on with: repomill schedules resume")
        ScheduleRun.objects.filter(schedule=schedule, status=ScheduleRun.Status.QUEUED, by_hand=False).update(
            status=ScheduleRun.Status.SKIPPED, completed_at=timezone.now(), reason="The schedule was paused."
        )
    return _again(schedule)


def resume_schedule(schedule: ExportSchedule) -> ExportSchedule:
    """Let it start again by the clock, from now on: what was due while it was paused is not made good.

    Raises Conflict where it is not paused.
    """
    due = due_after(rhythm_of(schedule), timezone.now())
    if not ExportSchedule.objects.filter(pk=schedule.pk, enabled=False).update(enabled=True, next_due_at=due):
        raise Conflict("The schedule is not paused.")
    return _again(schedule)


def run_now(schedule: ExportSchedule) -> ScheduleRun:
    """Have it start within seconds, whatever the clock says; its overlap rule holds."""
    return ScheduleRun.objects.create(schedule=schedule, due_at=timezone.now(), by_hand=True)


def delete_schedule(schedule: ExportSchedule) -> None:
    """Remove a schedule and its history; what it has started, and the archives, stay. Raises Conflict for our own."""
    if schedule.owner_id is None:
        raise Conflict(
            f"The schedule {schedule.name!r} belongs to the product.",
            hint=f"To stop it: repomill schedules pause {schedule.name}",
        )
    schedule.delete()


def _check(schedule: ExportSchedule) -> None:
    """Raise for what a schedule cannot be, and fill in what was left out of its export."""
    read_rhythm(cron=schedule.cron, interval_seconds=schedule.interval_seconds, time_zone=schedule.time_zone)
    if not SLUG.fullmatch(schedule.name):
        raise InvalidInput(
            f"{schedule.name[:100]!r} is no name of a schedule.", field="name", expected="1 to 100 of A-Z a-z 0-9 - _"
        )
    if schedule.overlap not in Overlap.values:
        raise InvalidInput("There is no such rule.", field="overlap", expected=Overlap.values)
    if schedule.catch_up not in CatchUp.values:
        raise InvalidInput("There is no such rule.", field="catch_up", expected=CatchUp.values)
    _check_listeners(schedule)
    for field, most in MOST.items():
        value = getattr(schedule, field)
        if value is not None and not (isinstance(value, int) and 1 <= value <= most):
            raise InvalidInput("It is out of range.", field=field, expected=f"a number from 1 to {most:,}")
    if schedule.catch_up_seconds is None:
        raise InvalidInput("It is a number above 0.", field="catch_up_seconds", expected="a number above 0")
    if schedule.owner is not None:
        checked = check_bulk_export(user=schedule.owner, **schedule.export)
        schedule.export = {
            name: checked[name] for name in ("selection", "export_type", "destination", "skip_unchanged", "window")
        }
    elif schedule.keep_days is None:
        raise InvalidInput("Say how old a generation becomes.", field="keep_days", expected="a number of days")


def _check_listeners(schedule: ExportSchedule) -> None:
    if schedule.notify_url:
        address = read_web_address(schedule.notify_url)
        refused = "It is no address to send to." if address is None else objection(address, internal_hosts=_allowed())
        if refused:
            raise InvalidInput(refused, field="notify_url", expected="https://host/path, without a password")
    for mailbox in schedule.notify_email:
        try:
            validate_email(mailbox)
        except ValidationError:
            raise InvalidInput(
                f"{str(mailbox)[:100]!r} is no e-mail address.", field="notify_email", expected="a list of addresses"
            ) from None


def _taken(name: str) -> Conflict:
    return Conflict(f"There is a schedule {name!r} already.", field="name", hint="Choose another name.")


def _allowed() -> list[str]:
    hosts: list[str] = settings.GIT_INTERNAL_HOSTS
    return hosts


def _again(schedule: ExportSchedule) -> ExportSchedule:
    return ExportSchedule.objects.select_related("owner").get(pk=schedule.pk)
