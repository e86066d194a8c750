"""The calendar of schedules: what comes on which day, and what came of what was due. It changes nothing."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from backend.apps.authentication.models import User
from backend.apps.exports.due_times import times_by_day
from backend.apps.exports.schedule_models import ExportSchedule, ScheduleRun
from backend.apps.exports.schedule_selectors import visible_schedules
from backend.apps.exports.services.schedules import rhythm_of

MOST_A_DAY = 25
"""Times of one schedule on one day that are looked for."""
MOST_SCHEDULES = 200
MOST_RUNS = 1000


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What one schedule does on one day. times: by the calendar's clock. status: the worst; empty for what comes.

    more: whether there are more times on this day than were looked for.
    """

    schedule: ExportSchedule
    times: tuple[datetime, ...]
    status: str = ""
    more: bool = False


def calendar_days(
    *, user: User, first: date, days: int, zone: ZoneInfo, now: datetime
) -> list[tuple[date, list[Entry]]]:
    """Return each day with what was due and what will be, in two queries; by the clock of a zone."""
    schedules = list(visible_schedules(user=user).order_by("name")[:MOST_SCHEDULES])
    found: dict[date, list[Entry]] = defaultdict(list)
    for day, entry in _past(schedules, first=first, days=days, zone=zone):
        found[day].append(entry)
    for schedule in schedules:
        if not schedule.enabled:
            continue
        coming = times_by_day(rhythm_of(schedule), first=first, days=days, zone=zone, after=now, most=MOST_A_DAY)
        for day, times in coming.items():
            entry = Entry(schedule=schedule, times=tuple(times), more=len(times) == MOST_A_DAY)
            found[day].append(entry)
    each = [first + timedelta(days=number) for number in range(days)]
    return [(day, sorted(found[day], key=lambda entry: entry.times[0])) for day in each]


_BAD_FIRST = ("failed", "cancelled", "running", "queued", "completed", "skipped")


def _past(schedules: list[ExportSchedule], *, first: date, days: int, zone: ZoneInfo) -> list[tuple[date, Entry]]:
    start = datetime(first.year, first.month, first.day, tzinfo=zone)
    last = first + timedelta(days=days)
    end = datetime(last.year, last.month, last.day, tzinfo=zone)
    known = {schedule.pk: schedule for schedule in schedules}
    runs = ScheduleRun.objects.filter(schedule__in=list(known), due_at__gte=start, due_at__lt=end)
    gathered: dict[tuple[date, ExportSchedule], list[tuple[datetime, str]]] = defaultdict(list)
    rows = runs.order_by("-due_at").values_list("schedule", "due_at", "status")[:MOST_RUNS]
    for schedule_id, due_at, status in reversed(rows):
        here = due_at.astimezone(zone)
        gathered[here.date(), known[schedule_id]].append((here, status))
    return [
        (
            day,
            Entry(
                schedule=schedule,
                times=tuple(moment for moment, _ in told),
                status=min((status for _, status in told), key=_BAD_FIRST.index),
            ),
        )
        for (day, schedule), told in gathered.items()
    ]
