"""When a schedule is due: pure arithmetic on cron expressions, intervals, time zones and the time.

Cron expressions are read and followed by cronsim, which does on the days of the clock change what Debian's cron does:
what would fall into the hour that is left out is due right after it, and what falls into the hour that comes twice is
due once; only what is due every hour or more often goes on by real time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from backend.errors import InvalidInput

SHORTEST_INTERVAL = 60
LONGEST_INTERVAL = 366 * 86_400
MOST_MISSED = 1000
"""How many missed times are looked at; whoever is down for longer than that catches up with the last ones."""
CRON_EXPECTED = "five fields: minute hour day-of-month month day-of-week, such as 30 2 * * *"


@dataclass(frozen=True, kw_only=True)
class Rhythm:
    """A cron expression in a time zone, or an interval in seconds that counts from a beginning."""

    cron: str = ""
    interval_seconds: int | None = None
    time_zone: str = "UTC"
    begins_at: datetime | None = None


@dataclass(frozen=True)
class Due:
    """What follows from the time: those to start, in order; how many are given up; and when the next one is due."""

    start: tuple[datetime, ...]
    missed: int
    next_due_at: datetime


def read_rhythm(*, cron: str, interval_seconds: int | None, time_zone: str) -> None:
    """Raise InvalidInput, which names the field, for what is no rhythm."""
    if bool(cron) == (interval_seconds is not None):
        raise InvalidInput("Say either a cron expression or an interval.", field="cron", expected="one of the two")
    if time_zone not in available_timezones():
        raise InvalidInput(
            f"There is no time zone {time_zone[:50]!r}.", field="time_zone", expected="a name such as Europe/Berlin"
        )
    if cron:
        if len(cron.split()) != 5:
            raise InvalidInput(f"{cron[:100]!r} is no cron expression.", field="cron", expected=CRON_EXPECTED)
        try:
            next(CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC)))
        except (CronSimError, StopIteration) as error:
            why = str(error) or "it is never due"
            raise InvalidInput(
                f"{cron[:100]!r} is no cron expression: {why}.", field="cron", expected=CRON_EXPECTED
            ) from None
    elif interval_seconds is not None and not SHORTEST_INTERVAL <= interval_seconds <= LONGEST_INTERVAL:
        raise InvalidInput(
            "The interval is too short or too long.",
            field="interval_seconds",
            expected=f"from {SHORTEST_INTERVAL} to {LONGEST_INTERVAL} seconds",
        )


def due_after(rhythm: Rhythm, moment: datetime) -> datetime:
    """Return the first time after `moment` at which it is due, in UTC."""
    return next(_times(rhythm, moment))


def next_times(rhythm: Rhythm, *, after: datetime, count: int = 5) -> list[datetime]:
    """Return the next times, in the rhythm's own zone."""
    zone = ZoneInfo(rhythm.time_zone)
    return [time.astimezone(zone) for time in islice(_times(rhythm, after), count)]


def times_by_day(
    rhythm: Rhythm, *, first: date, days: int, zone: ZoneInfo, after: datetime, most: int
) -> dict[date, list[datetime]]:
    """Return the times of each day, as the clocks of a zone show them: those after a moment, `most` of a day at most.

    What is due more often than that costs no more: the rest of its day is passed over.
    """
    found: dict[date, list[datetime]] = {}
    end = _midnight(first + timedelta(days=days), zone)
    # The iteration begins after a moment, and midnight itself may be due.
    upcoming = _times(rhythm, max(_midnight(first, zone) - timedelta(microseconds=1), after))
    while (moment := next(upcoming)) < end:
        here = moment.astimezone(zone)
        times = found.setdefault(here.date(), [])
        times.append(here)
        if len(times) == most:
            upcoming = _times(rhythm, _midnight(here.date() + timedelta(days=1), zone) - timedelta(microseconds=1))
    return found


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def decide_due(
    rhythm: Rhythm, *, next_due_at: datetime, now: datetime, catch_up: str, within: timedelta, late: timedelta
) -> Due:
    """Decide what is started of what was due from `next_due_at` until `now`.

    catch_up: `none` starts what is due at this moment only, `one` the newest missed one, `all` every one; the last two
    no further back than `within`. late: how late a start may be and still count as on time.
    """
    if next_due_at > now:
        return Due((), 0, next_due_at)
    times, count = [next_due_at], 1
    upcoming = _times(rhythm, next_due_at)
    for time in upcoming:
        if time > now:
            following = time
            break
        times.append(time)
        count += 1
        if len(times) > MOST_MISSED:
            times.pop(0)
    if catch_up == "all":
        start = [time for time in times if now - time <= max(within, late)]
    elif catch_up == "one":
        start = [time for time in times[-1:] if now - time <= max(within, late)]
    else:
        start = [time for time in times[-1:] if now - time <= late]
    return Due(tuple(start), count - len(start), following)


def _times(rhythm: Rhythm, after: datetime) -> Iterator[datetime]:
    if rhythm.interval_seconds is not None:
        step = timedelta(seconds=rhythm.interval_seconds)
        begin = rhythm.begins_at or after
        passed = max(0, (after - begin) // step)
        number = passed + 1
        while True:
            yield (begin + number * step).astimezone(UTC)
            number += 1
    for time in CronSim(rhythm.cron, after.astimezone(ZoneInfo(rhythm.time_zone))):
        moment = time.astimezone(UTC)
        # Begun in the second of an hour that comes twice, it gives what was due in the first.
        if moment > after:
            yield moment
