"""A schedule as its pages show it: when it is due, how it stands and by which rules, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from backend.apps.exports.schedule_models import ExportSchedule, ScheduleRun

OVERLAP = {"skip": "left out", "queue": "waits until that has ended", "replace": "takes its place"}
CATCH_UP = {"none": "left out", "one": "the newest is made good", "all": "all are made good"}
UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


@dataclass(frozen=True)
class Due:
    """A time at which a schedule is due. words: by its own clock, which a template would turn into the server's."""

    time: datetime
    words: str

    @classmethod
    def at(cls, time: datetime) -> Due:
        """Return a time as it is said. time: in the schedule's own zone."""
        seconds = f":{time:%S}" if time.second else ""
        return cls(time, f"{time:%a} {time.day} {time:%b %Y, %H:%M}{seconds}")


@dataclass(frozen=True)
class Row:
    """One line of the list."""

    schedule: ExportSchedule
    last: ScheduleRun | None

    @property
    def standing(self) -> str:
        """How it stands."""
        return standing(self.schedule, self.last)

    @property
    def rhythm(self) -> str:
        """When it is due."""
        return rhythm_words(self.schedule)


def standing(schedule: ExportSchedule, last: ScheduleRun | None) -> str:
    """Return how a schedule stands in one word: paused, running, failed where its last run has, or on."""
    if last is not None and last.status in {"running", "queued"}:
        return last.status
    if not schedule.enabled:
        return "paused"
    return "failed" if last is not None and last.status == "failed" else "scheduled"


def rhythm_words(schedule: ExportSchedule) -> str:
    """Return when a schedule is due, without its zone."""
    if schedule.cron:
        return schedule.cron
    seconds = schedule.interval_seconds or 0
    length, unit = next((length, unit) for length, unit in UNITS if seconds % length == 0)
    number = seconds // length
    return f"every {unit}" if number == 1 else f"every {number:,} {unit}s"


def rules(schedule: ExportSchedule) -> list[tuple[str, str]]:
    """Return by which rules it goes, as names and values."""
    found = [
        ("If the last one still runs", OVERLAP[schedule.overlap]),
        ("Missed times", f"{CATCH_UP[schedule.catch_up]}, no further back than {_hours(schedule.catch_up_seconds)}"),
    ]
    if schedule.work == ExportSchedule.Work.ARCHIVE_GENERATIONS:
        found.append(("Files of generations", f"are kept {schedule.keep_days} days"))
    else:
        kept = [f"the last {schedule.keep_last}"] if schedule.keep_last else []
        kept += [f"those younger than {schedule.keep_days} days"] if schedule.keep_days else []
        found.append(("Archives kept of each project", " and ".join(kept) or "all"))
    told = [*schedule.notify_email, *([schedule.notify_url] if schedule.notify_url else [])]
    return [*found, ("Told of failures", ", ".join(told) or "nobody")]


def _hours(seconds: int) -> str:
    return f"{seconds / 3600:g} h"
