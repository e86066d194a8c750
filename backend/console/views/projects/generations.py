"""The history of a project: its generations, and what each changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from backend.api.download_names import attachment as disposition_of
from backend.api.sending import INERT, NEVER_KEPT
from backend.apps.exports.selectors import filtered_exports
from backend.apps.projects.generation_selectors import get_generation, visible_generations
from backend.apps.projects.generation_serializers import GenerationFilters
from backend.apps.projects.models import GeneratedProject, Project
from backend.apps.projects.selectors import get_project
from backend.apps.projects.services.history import Comparison, compare
from backend.console.lists import cut, narrowed
from backend.console.pages import attachment, is_partial, page, user_of
from backend.console.shown.links import deliveries_of
from backend.console.shown.patches import shown_comparison
from backend.console.views.projects.frame import head
from backend.errors import NotFound, RepomillError

PIECE = 64 * 1024
MOST_OTHERS = 50
MOST_DELIVERIES = 20


@page
def generations(request: HttpRequest, project_id: UUID) -> HttpResponseBase:
    """List the generations of a project, newest first."""
    project, context = head(request, project_id, tab="generations")
    filters, _ = narrowed(request, GenerationFilters)
    rows = visible_generations(user=user_of(request), project_id=project.pk, status=filters.get("status"))
    part = cut(request, rows.select_related("created_by", "workflow_execution__workflow"))
    context |= {
        "part": part,
        "status": filters.get("status", ""),
        "statuses": GeneratedProject.Status.values,
        "first_page": "cursor" not in request.GET,
    }
    template = "generation_rows" if is_partial(request) else "generations"
    return render(request, f"console/projects/{template}.html", context)


@page
def generation(request: HttpRequest, project_id: UUID, generation_id: UUID) -> HttpResponseBase:
    """Show one generation, and what differs from the one before it or from another one."""
    project, context = head(request, project_id, tab="generations")
    user = user_of(request)
    found = get_generation(user=user, generation_id=generation_id, project_id=project_id)
    deliveries = filtered_exports(user=user, generated_project=found.pk)[:MOST_DELIVERIES]
    others = GeneratedProject.objects.filter(project=project).exclude(commit="").exclude(pk=found.pk)
    context |= {
        "generation": found,
        "by": found.created_by,
        "deliveries": deliveries_of(deliveries),
        "others": list(others.order_by("-created_at")[:MOST_OTHERS]),
        "against": request.GET.get("against", ""),
        **_changes(project, found, against=request.GET.get("against", "")),
    }
    return render(request, "console/projects/generation.html", context)


@attachment
def patch(request: HttpRequest, project_id: UUID, generation_id: UUID) -> HttpResponseBase:
    """Send what differs as a patch, which `git apply` reads."""
    user = user_of(request)
    project = get_project(user=user, project_id=project_id)
    found = get_generation(user=user, generation_id=generation_id, project_id=project_id)
    comparison = _comparison(project, found, against=request.GET.get("against", ""))
    response = StreamingHttpResponse(_pieces(comparison), content_type="text/x-diff; charset=utf-8", headers=INERT)
    response["Cache-Control"] = NEVER_KEPT
    response["Content-Disposition"] = disposition_of(f"{project.slug}-{comparison.new[:12]}", ending=".patch")
    return response


def _changes(project: Project, generation: GeneratedProject, *, against: str) -> dict[str, Any]:
    """Return what differs; or why that cannot be said, which takes nothing else from the page."""
    if not generation.commit:
        return {}
    try:
        return {"changes": shown_comparison(_comparison(project, generation, against=against))}
    except RepomillError as error:
        return {"error": error}


def _comparison(project: Project, generation: GeneratedProject, *, against: str) -> Comparison:
    if not generation.commit:
        raise NotFound("The generation has no files yet.", hint="Wait until it is completed.")
    if against:
        return compare(project=project, old=against[:64], new=str(generation.pk))
    return compare(project=project, old=str(generation.pk))


def _pieces(comparison: Comparison) -> Iterator[bytes]:
    if comparison.old == comparison.new:
        return
    with comparison.patch() as stream:
        while piece := stream.read(PIECE):
            yield piece
