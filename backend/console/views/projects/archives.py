"""The archives of a project: what there is, with digests; asking for one; and links for those without an account."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from backend.apps.authentication.roles import Right
from backend.apps.exports.selectors import downloads_of, filtered_exports, get_export
from backend.apps.exports.services.links import LONGEST_SECONDS, SECONDS, signed_download_url
from backend.apps.projects import list_selectors
from backend.apps.projects.selectors import get_project
from backend.console.delivery_forms import ArchiveForm
from backend.console.lists import cut
from backend.console.pages import form_page, is_partial, user_of
from backend.console.views.projects.frame import head_of

LASTS = ((SECONDS, "15 minutes"), (3600, "An hour"), (LONGEST_SECONDS, "A day"))
MOST_WAITING = 20


@form_page
def archives(request: HttpRequest, project_id: UUID) -> HttpResponseBase:
    """List the archives, newest first; and take in a wish for another one."""
    user = user_of(request)
    asks = request.method == "POST"
    project = get_project(user=user, project_id=project_id, right=Right.RUN if asks else Right.SEE)
    # A part is only rows.
    form = None if is_partial(request) else ArchiveForm(request.POST if asks else None, project=project, user=user)
    if asks and form is not None and form.ask():
        messages.success(request, "The archive is being made, and is here in a moment.")
        return HttpResponseRedirect(reverse("console:archives", args=[project.pk]))
    part = cut(request, list_selectors.archives_of(project))
    ready = downloads_of(part.rows, user=user)
    formats = filtered_exports(user=user, project=project.pk).filter(export_type__in=("zip", "tar", "tar.gz"))
    context: dict[str, Any] = {
        **head_of(request, project, tab="archives"),
        "part": part,
        "archives": [(archive, ready.get(archive.pk)) for archive in part.rows],
        "waiting": list(formats.filter(status__in=("pending", "exporting"))[:MOST_WAITING]),
        "first_page": "cursor" not in request.GET,
        "form": form,
    }
    template = "archive_rows" if is_partial(request) else "archives"
    status = 422 if form is not None and form.errors else 200
    return render(request, f"console/projects/{template}.html", context, status=status)


class LinkForm(forms.Form):
    """How long a link is to work."""

    seconds = forms.TypedChoiceField(coerce=int, choices=LASTS, label="It works for", initial=SECONDS)


@form_page
def link(request: HttpRequest, export_id: UUID) -> HttpResponseBase:
    """Make a link with which somebody without an account can download an archive for a while."""
    user = user_of(request)
    export = get_export(user=user, export_id=export_id)
    form = LinkForm(request.POST if request.method == "POST" else None)
    made = None
    if form.is_bound and form.is_valid():
        origin = request.build_absolute_uri("/").rstrip("/")
        made = signed_download_url(user=user, export_id=export.pk, seconds=form.cleaned_data["seconds"], origin=origin)
    project = export.generated_project.project
    context = {**head_of(request, project, tab="archives"), "export": export, "form": form, "made": made}
    return render(request, "console/projects/link.html", context, status=422 if form.errors else 200)
