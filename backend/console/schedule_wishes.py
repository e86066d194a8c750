"""What the form for a schedule asks for, as an input schema; and its answers as a wish. As those of `wishes`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from backend.apps.exports.due_times import LONGEST_INTERVAL
from backend.apps.exports.schedule_models import ExportSchedule
from backend.apps.exports.services.schedules import MOST
from backend.console.wishes import (
    BULK_FIELDS,
    Schema,
    bulk_wish,
    destinations,
    enum,
    export_properties,
    lines,
    page,
    text,
    when,
)

UNITS = {"days": 86_400, "hours": 3600, "minutes": 60, "seconds": 1}
CRON_HELP = "Minute, hour, day of the month, month, day of the week: 30 2 * * * is every night at 02:30."


def schedule_schema(schedule: ExportSchedule | None = None) -> Schema:
    """Return what is asked for to make a schedule, or to change this one."""
    ours = schedule is not None and schedule.owner_id is None
    name = text("Name", "Letters, digits, - and _; commands and notifications call it so.", most=100)
    times = {"rhythm": _rhythm_kind(), "cron": {}, "every": {}, "unit": {}, "time_zone": _zone()}
    rules = {**_rules(), **_retention(generations=ours)}
    notify = {
        "notify_email": lines("E-mail", "Who is told when one of its runs has failed."),
        "notify_url": text("Web address", "Gets a signed POST when one of its runs has failed.", most=1000),
    }
    properties = {name: part for name, part in times.items() if part} | rules | notify
    pages = [page("When", ["name", *times]), page("What and where", list(BULK_FIELDS)), page("Rules", list(rules))]
    schema: Schema = {
        "type": "object",
        "required": ["rhythm", "time_zone", "overlap", "catch_up"],
        "properties": properties,
        "allOf": _rhythms(),
        "x-pages": [*pages, page("Who is told", list(notify))],
    }
    if not ours:
        schema["properties"] = {"name": name, **properties, **export_properties()}
        schema["required"] += ["name", "selection", "export_type"]
        schema["allOf"] += destinations()
    return schema


def schedule_wish(answers: Mapping[str, Any], *, ours: bool = False) -> dict[str, Any]:
    """Return what a schedule is to be from the answers of its form, everything that it asks for."""
    by_cron = answers.get("rhythm") == "cron"
    wish = {
        "cron": answers.get("cron", "") if by_cron else "",
        "interval_seconds": None if by_cron else round(answers.get("every", 0) * UNITS[answers.get("unit", "hours")]),
        "catch_up_seconds": round(answers.get("catch_up_hours", 24) * 3600),
        "keep_last": answers.get("keep_last"),
        "keep_days": answers.get("keep_days"),
        "notify_url": answers.get("notify_url", ""),
        "notify_email": answers.get("notify_email", []),
        **{name: answers[name] for name in ("time_zone", "overlap", "catch_up") if name in answers},
    }
    return wish if ours else {"name": answers.get("name", ""), **wish, "export": bulk_wish(answers)}


def schedule_answers(schedule: ExportSchedule) -> dict[str, Any]:
    """Return what stands in the form of a schedule."""
    seconds = schedule.interval_seconds or 3600
    unit = next(unit for unit, length in UNITS.items() if seconds % length == 0)
    hours = schedule.catch_up_seconds / 3600
    found = {
        "name": schedule.name,
        "rhythm": "cron" if schedule.cron else "interval",
        "cron": schedule.cron,
        "every": seconds // UNITS[unit],
        "unit": unit,
        "time_zone": schedule.time_zone,
        "overlap": schedule.overlap,
        "catch_up": schedule.catch_up,
        "catch_up_hours": int(hours) if hours.is_integer() else hours,
        "keep_last": schedule.keep_last,
        "keep_days": schedule.keep_days,
        "notify_url": schedule.notify_url,
        "notify_email": schedule.notify_email,
        **schedule.export,
    }
    return {name: value for name, value in found.items() if value not in (None, "", [])}


def _rhythm_kind() -> Schema:
    return enum("It is due", {"cron": "at times of the clock", "interval": "every so often"}, default="cron")


def _rhythms() -> list[Schema]:
    cron = text("Times", CRON_HELP, most=100)
    every = {"type": "integer", "minimum": 1, "maximum": LONGEST_INTERVAL, "title": "Every", "default": 1}
    unit = enum("Unit", {unit: unit for unit in ("minutes", "hours", "days", "seconds")}, default="hours")
    return [
        when("rhythm", "cron", {"cron": cron}, required=["cron"]),
        when("rhythm", "interval", {"every": every, "unit": unit}, required=["every", "unit"]),
    ]


def _zone() -> Schema:
    help_text = "Whose clock it follows, summer time and all."
    return {"enum": list(_zones()), "default": "UTC", "title": "Time zone", "description": help_text}


@cache
def _zones() -> tuple[str, ...]:
    return ("UTC", *sorted(available_timezones() - {"UTC"}))


def _rules() -> Schema:
    overlap = {"skip": "leave this one out", "queue": "wait until that has ended", "replace": "cancel that one"}
    catch_up = {
        "one": "make the newest one good",
        "all": "make all of them good",
        "none": "leave them out",
    }
    return {
        "overlap": enum("When the last one still runs", overlap, default="skip"),
        "catch_up": enum("Times that were missed", catch_up, default="one"),
        "catch_up_hours": {
            "type": "number",
            "minimum": 0.01,
            "maximum": MOST["catch_up_seconds"] // 3600,
            "default": 24,
            "title": "No further back than, in hours",
        },
    }


def _retention(*, generations: bool) -> Schema:
    days: Schema = {"type": "integer", "minimum": 1, "title": "Keep archives, in days"}
    days["description"] = "An archive that is younger is kept; a project's last one always is."
    if generations:
        return {"keep_days": {**days, "title": "Files of generations are kept, in days", "description": ""}}
    last = {"type": "integer", "minimum": 1, "title": "Keep the last archives of each project, how many"}
    return {"keep_last": {**last, "description": "Where both are empty, all are kept."}, "keep_days": days}
