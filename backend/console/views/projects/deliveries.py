"""The exports of a project: how each stands and where it is, and a form for each destination."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from backend.apps.authentication.roles import Right
from backend.apps.exports.models import RepositoryExport
from backend.apps.exports.request_serializers import ExportFilters
from backend.apps.exports.selectors import filtered_exports
from backend.apps.projects.selectors import get_project
from backend.console.delivery_forms import DESTINATIONS
from backend.console.lists import cut, narrowed
from backend.console.pages import form_page, is_partial, page, user_of
from backend.console.shown.links import deliveries_of
from backend.console.views.projects.frame import head, head_of


@page
def exports(request: HttpRequest, project_id: UUID) -> HttpResponseBase:
    """List the exports of a project, newest first, narrowed as the address says."""
    project, context = head(request, project_id, tab="exports")
    filters, wrong = narrowed(request, ExportFilters)
    filters.pop("ordering", None)
    rows = filtered_exports(user=user_of(request), project=project.pk, **filters).select_related("created_by")
    part = cut(request, rows)
    context |= {
        "part": part,
        "deliveries": deliveries_of(part.rows),
        "wrong": wrong,
        "statuses": RepositoryExport.Status.values,
        "types": RepositoryExport.ExportType.values,
        "status": filters.get("status", ""),
        "export_type": filters.get("export_type", ""),
        "narrowed": bool(filters),
        "first_page": "cursor" not in request.GET,
    }
    template = "export_rows" if is_partial(request) else "exports"
    return render(request, f"console/projects/{template}.html", context)


@form_page
def new_export(request: HttpRequest, project_id: UUID) -> HttpResponseBase:
    """Ask for an export, by the form of its destination."""
    user = user_of(request)
    project = get_project(user=user, project_id=project_id, right=Right.RUN)
    to = request.GET.get("to", "")
    kind = DESTINATIONS.get(to) or DESTINATIONS["archive"]
    asks = request.method == "POST"
    initial = {"generation": request.GET.get("generation", "")}
    form = kind(request.POST if asks else None, project=project, user=user, initial=initial)
    if asks and form.ask():
        messages.success(request, "The export is on its way; this list shows how it goes.")
        return HttpResponseRedirect(reverse("console:project-exports", args=[project.pk]))
    context = {
        **head_of(request, project, tab="exports"),
        "form": form,
        "to": to if to in DESTINATIONS else "archive",
        "destinations": [(name, each.title, each.icon) for name, each in DESTINATIONS.items()],
        "picked": request.GET.get("generation", ""),
    }
    return render(request, "console/projects/new_export.html", context, status=422 if form.errors else 200)
