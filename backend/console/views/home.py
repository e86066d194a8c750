"""The first page: what runs, what waits and for what, what failed, and what comes next."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.authentication.roles import is_operator
from backend.apps.exports.schedule_selectors import visible_schedules
from backend.apps.workflows import overview_selectors as overview
from backend.config.live_workers import queues, workers
from backend.console.pages import is_partial, page, user_of
from backend.console.shown import chart
from backend.console.shown.queues import queues_of
from backend.console.shown.standing import show_standing
from backend.errors import PermissionRefused
from backend.metrics import present

MOST = 8


@page
def home(request: HttpRequest) -> HttpResponseBase:
    """Show how things stand; to htmx the part of it that changes."""
    user = user_of(request)
    template = "console/home/board.html" if is_partial(request) else "console/home/home.html"
    return render(request, template, _board(user))


@page
def home_queues(request: HttpRequest) -> HttpResponseBase:
    """Show the queues: on their own, since workers take a moment to answer."""
    if not is_operator(user_of(request)):
        raise PermissionRefused("Only operators see the queues.")
    values = present.of_tasks(now=timezone.now()) | present.of_broker_and_workers()
    context = {"queues": queues_of(queues(), values), "workers": sum(workers.serving().values())}
    return render(request, "console/home/queues.html", context)


def _board(user: User) -> dict[str, Any]:
    now = timezone.now()
    going_on = overview.runs_going_on(user=user, most=MOST)
    show_standing(going_on)
    schedules = visible_schedules(user=user).filter(enabled=True, next_due_at__isnull=False)
    return {
        "standing": overview.how_runs_stand(user=user, now=now),
        "going_on": going_on,
        "failed": overview.failed_lately(user=user, now=now, most=MOST),
        "parked": overview.parked_tasks(user=user, now=now),
        "schedules": schedules.order_by("next_due_at")[:MOST],
        "chart": chart.draw(overview.ended_by_minute(user=user, now=now), now=now),
    }
