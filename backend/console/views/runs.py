"""All runs that the user may see, newest first."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render

from backend.apps.workflows.definition_selectors import workflows
from backend.apps.workflows.execution_selectors import list_executions
from backend.apps.workflows.serializers.executions import STANDINGS, ExecutionFilters
from backend.console.lists import cut, narrowed
from backend.console.pages import is_partial, page, user_of
from backend.console.shown.standing import show_standing

MOST_NAMES = 200


@page
def runs(request: HttpRequest) -> HttpResponseBase:
    """List runs, narrowed as the address says."""
    user = user_of(request)
    filters, wrong = narrowed(request, ExecutionFilters)
    filters.pop("ordering", None)
    filters["started_by"] = filters.pop("user", None)
    part = cut(request, list_executions(user=user, **filters))
    show_standing(part.rows)
    context = {
        "part": part,
        "narrowed": any(value is not None for value in filters.values()),
        "first_page": "cursor" not in request.GET,
    }
    if is_partial(request):
        return render(request, "console/runs/list.html", context)
    context |= {
        "wrong": wrong,
        "standings": STANDINGS,
        "names": [workflow.name for workflow in workflows(user=user)[:MOST_NAMES]],
        "status": request.GET.get("status", ""),
        "workflow": request.GET.get("workflow", ""),
        "mine": request.GET.get("user") == str(user.pk),
        "project": request.GET.get("project", ""),
    }
    return render(request, "console/runs/runs.html", context)
