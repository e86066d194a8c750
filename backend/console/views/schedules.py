"""Schedules: the list of them, the calendar of what comes, and one schedule with its next times and its history."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone

from backend.apps.exports.due_times import next_times
from backend.apps.exports.schedule_calendar import calendar_days
from backend.apps.exports.schedule_models import ScheduleRun
from backend.apps.exports.schedule_selectors import find_schedule, last_runs, runs_of, visible_schedules
from backend.apps.exports.services.schedules import rhythm_of
from backend.console.lists import numbered
from backend.console.pages import is_partial, page, user_of
from backend.console.shown import schedules as shown
from backend.console.shown.bulk import export_facts
from backend.console.shown.calendar import CalendarView, draw


@page
def schedules(request: HttpRequest) -> HttpResponseBase:
    """List schedules by name, with when each is due next and how its last run ended."""
    part = numbered(request, visible_schedules(user=user_of(request)).order_by("name", "pk"))
    runs = last_runs(part.rows)
    rows = [shown.Row(schedule, runs.get(schedule.pk)) for schedule in part.rows]
    context = {"part": part, "rows": rows, "tab": "list"}
    return render(request, f"console/schedules/{'list' if is_partial(request) else 'schedules'}.html", context)


@page
def calendar(request: HttpRequest) -> HttpResponseBase:
    """Show what comes, and what was, in a week or a month."""
    user = user_of(request)
    now = timezone.now()
    zones = {"UTC", *visible_schedules(user=user).order_by().values_list("time_zone", flat=True).distinct()}
    wanted = request.GET.get("zone", "")
    zone = ZoneInfo(wanted if wanted in zones or wanted in available_timezones() else "UTC")
    today = now.astimezone(zone).date()
    view = CalendarView("week" if request.GET.get("view") == "week" else "month", _day(request, today))
    days = calendar_days(user=user, first=view.first, days=view.days, zone=zone, now=now)
    context = {
        "view": view,
        "weeks": draw(view, days, today=today),
        "zone": zone.key,
        "zones": sorted({*zones, zone.key}),
        "today": today,
        "now": f"{now.astimezone(zone):%H:%M}",
        "tab": "calendar",
    }
    return render(request, f"console/schedules/{'grid' if is_partial(request) else 'calendar'}.html", context)


@page
def schedule(request: HttpRequest, schedule_id: UUID) -> HttpResponseBase:
    """Show one schedule; to htmx the part of it that changes."""
    found = find_schedule(user=user_of(request), reference=schedule_id)
    now = timezone.now()
    status = request.GET.get("status", "")
    status = status if status in ScheduleRun.Status.values else ""
    part = numbered(request, runs_of(found, status=status))
    last = last_runs([found]).get(found.pk)
    zone = ZoneInfo(found.time_zone)
    upcoming = next_times(rhythm_of(found), after=now) if found.enabled else []
    context: dict[str, Any] = {
        "schedule": found,
        "last": last,
        "standing": shown.standing(found, last),
        "rhythm": shown.rhythm_words(found),
        "upcoming": [shown.Due.at(time) for time in upcoming],
        "part": part,
        "runs": [(run, shown.Due.at(run.due_at.astimezone(zone))) for run in part.rows],
        "statuses": ScheduleRun.Status.values,
        "status": status,
        "rules": shown.rules(found),
        "export": export_facts(found.export) if found.export else [],
    }
    return render(request, f"console/schedules/{'board' if is_partial(request) else 'schedule'}.html", context)


def _day(request: HttpRequest, today: date) -> date:
    """Return the day that the address asks for, not further away than a few years; today for anything else."""
    try:
        wanted = date.fromisoformat(request.GET.get("at", ""))
    except ValueError:
        return today
    return wanted if abs(wanted - today) < timedelta(days=2000) else today
