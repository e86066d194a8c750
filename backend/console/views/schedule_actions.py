"""What can be done to a schedule: by a button, or by the form that makes or changes one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone

from backend.apps.exports.due_times import Rhythm, next_times, read_rhythm
from backend.apps.exports.schedule_models import ExportSchedule
from backend.apps.exports.schedule_selectors import find_schedule
from backend.apps.exports.services import schedules
from backend.console.asking import Asking
from backend.console.pages import action, back_of, form_page, user_of
from backend.console.schedule_wishes import schedule_answers, schedule_schema, schedule_wish
from backend.console.shown.schedules import Due
from backend.console.views.bulk_actions import CREDENTIAL, credentials_of
from backend.errors import RepomillError

PLACES = {**CREDENTIAL, "interval_seconds": "every", "catch_up_seconds": "catch_up_hours"}


@action
def pause(request: HttpRequest, schedule_id: UUID) -> HttpResponseBase:
    """Let it start nothing by itself."""
    return _done(request, schedule_id, schedules.pause_schedule, "Paused: it starts nothing by itself.")


@action
def resume(request: HttpRequest, schedule_id: UUID) -> HttpResponseBase:
    """Let it start again by the clock."""
    return _done(request, schedule_id, schedules.resume_schedule, "It starts by the clock again, from now on.")


@action
def run_now(request: HttpRequest, schedule_id: UUID) -> HttpResponseBase:
    """Have it start within seconds."""
    return _done(request, schedule_id, schedules.run_now, "It starts within seconds.")


@action
def delete(request: HttpRequest, schedule_id: UUID) -> HttpResponseBase:
    """Remove it."""
    found = find_schedule(user=user_of(request), reference=schedule_id)
    schedules.delete_schedule(found)
    messages.success(request, f"The schedule {found.name} is removed. What it has started, and the archives, stay.")
    return HttpResponseRedirect(reverse("console:schedules"))


@form_page
def create(request: HttpRequest) -> HttpResponseBase:
    """Make a schedule."""
    return _edit(request, None)


@form_page
def edit(request: HttpRequest, schedule_id: UUID) -> HttpResponseBase:
    """Change a schedule."""
    return _edit(request, find_schedule(user=user_of(request), reference=schedule_id))


def _edit(request: HttpRequest, schedule: ExportSchedule | None) -> HttpResponseBase:
    user = user_of(request)
    ours = schedule is not None and schedule.owner_id is None
    asking = Asking(
        request,
        schedule_schema(schedule),
        "console/schedules/form.html",
        context={"schedule": schedule},
        places=PLACES,
        credentials=credentials_of(user),
    )
    if request.method != "POST":
        return asking.first(schedule_answers(schedule) if schedule else None)
    answers = asking.answers()
    if asking.wanted not in {"save", "times"}:
        return asking.again(answers)
    if answers.errors:
        return asking.show(answers, status=422)
    wish = schedule_wish(answers.inputs, ours=ours)
    try:
        if asking.wanted == "times":
            return asking.show(answers, upcoming=_times(wish), zone=wish["time_zone"])
        found = (
            schedules.change_schedule(schedule, **wish) if schedule else schedules.create_schedule(owner=user, **wish)
        )
    except RepomillError as error:
        return asking.refused(answers, error)
    messages.success(request, "The schedule is changed." if schedule else f"The schedule {found.name} is made.")
    return HttpResponseRedirect(reverse("console:schedule", args=[found.pk]))


def _times(wish: dict[str, Any]) -> list[Due]:
    """Return the next times of what stands in the form. Raises InvalidInput."""
    rhythm = {name: wish[name] for name in ("cron", "interval_seconds", "time_zone")}
    read_rhythm(**rhythm)
    return [Due.at(time) for time in next_times(Rhythm(**rhythm), after=timezone.now())]


def _done(
    request: HttpRequest, schedule_id: UUID, change: Callable[[ExportSchedule], Any], words: str
) -> HttpResponseBase:
    change(find_schedule(user=user_of(request), reference=schedule_id))
    messages.success(request, words)
    return HttpResponseRedirect(back_of(request, reverse("console:schedule", args=[schedule_id])))
