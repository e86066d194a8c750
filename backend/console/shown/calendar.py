"""The calendar of schedules as weeks of days. Pure; what comes when is `exports.schedule_calendar`'s to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from backend.apps.exports.schedule_calendar import Entry

SHOWN_IN_MONTH = 4


@dataclass(frozen=True)
class CalendarView:
    """Which days are shown. kind: week, or month, which is filled up to whole weeks."""

    kind: str
    at: date

    @property
    def first(self) -> date:
        """The first day that is shown, a Monday."""
        start = self.at if self.kind == "week" else self.at.replace(day=1)
        return start - timedelta(days=start.weekday())

    @property
    def days(self) -> int:
        """How many days are shown: whole weeks."""
        if self.kind == "week":
            return 7
        last = self.after - timedelta(days=1)
        return ((last - self.first).days // 7 + 1) * 7

    @property
    def before(self) -> date:
        """A day of the week or the month before."""
        if self.kind == "week":
            return self.at - timedelta(days=7)
        return (self.at.replace(day=1) - timedelta(days=1)).replace(day=1)

    @property
    def after(self) -> date:
        """A day of the week or the month after."""
        if self.kind == "week":
            return self.at + timedelta(days=7)
        return (self.at.replace(day=28) + timedelta(days=7)).replace(day=1)

    @property
    def last(self) -> date:
        """The last day that is shown."""
        return self.first + timedelta(days=self.days - 1)


@dataclass(frozen=True)
class Shown:
    """What a schedule does on a day. when: its times in words. brief: the same, where there is little room."""

    entry: Entry
    when: str
    brief: str
    status: str


@dataclass(frozen=True)
class Day:
    """One day. outside: of the month that is shown. more: how many schedules more than are shown."""

    day: date
    entries: tuple[Shown, ...]
    more: int
    today: bool
    outside: bool


def draw(view: CalendarView, days: Sequence[tuple[date, list[Entry]]], *, today: date) -> list[list[Day]]:
    """Return the weeks of the calendar."""
    most = SHOWN_IN_MONTH if view.kind == "month" else 100
    each = [
        Day(
            day=day,
            entries=tuple(
                Shown(entry, _when(entry), _briefly(entry), entry.status or "scheduled") for entry in entries[:most]
            ),
            more=max(0, len(entries) - most),
            today=day == today,
            outside=view.kind == "month" and day.month != view.at.month,
        )
        for day, entries in days
    ]
    return [each[start : start + 7] for start in range(0, len(each), 7)]


def _when(entry: Entry) -> str:
    """Return its time; of several the first, and how many there are."""
    first = f"{entry.times[0]:%H:%M}"
    if len(entry.times) == 1:
        return first
    return f"{first}, {len(entry.times)}{' or more' if entry.more else ''} times"


def _briefly(entry: Entry) -> str:
    number = f" \N{MULTIPLICATION SIGN}{len(entry.times)}{'+' if entry.more else ''}" if len(entry.times) > 1 else ""
    return f"{entry.times[0]:%H:%M}{number}"
