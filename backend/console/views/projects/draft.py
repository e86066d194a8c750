"""A project's own workspace: files that people change before they become a generation, which can be exported.

Everything goes through `workspace_files`, as over REST: a file is written over what was read and over nothing else.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from rest_framework.request import Request

from backend.api.file_responses import file_response
from backend.apps.authentication.roles import Right
from backend.apps.projects.errors import QuotaExceeded
from backend.apps.projects.models import Project
from backend.apps.projects.selectors import get_project, newest_generation
from backend.apps.projects.services import workspace_commit, workspace_diff, workspace_files
from backend.apps.projects.services.workspace_files import Expected
from backend.console.pages import action, attachment, form_page, page, user_of
from backend.console.shown.file_text import LARGEST_SHOWN, shown_file
from backend.console.shown.patches import shown_draft
from backend.console.shown.tree import directory_of, tree_of
from backend.console.views.projects.editing import Editing
from backend.console.views.projects.files import tree_beside
from backend.console.views.projects.frame import head, head_of
from backend.errors import NotFound, RepomillError

LARGEST_KEPT = 64 * 1024 * 1024
"""Bytes of a draft that a page makes a generation of while somebody waits."""


@page
def tree(request: HttpRequest, project_id: UUID) -> HttpResponseBase:
    """Show the files of the draft."""
    project, context = head(request, project_id, tab="files")
    below = request.GET.get("below", "").strip("/")
    shown = tree_of(_listed(project), below=below)
    if below and not shown.files:
        raise NotFound("The draft has no such directory.", field="below")
    newest = newest_generation(project=project, execution_id=None)
    context |= {**_place(project), "tree": shown, "below": below, "newest": newest}
    return render(request, "console/projects/files.html", context)


@page
def file(request: HttpRequest, project_id: UUID) -> HttpResponseBase:
    """Show one file of the draft."""
    project, context = head(request, project_id, tab="files")
    path = request.GET.get("path", "")
    opened = workspace_files.open_file(project, path=path)
    with opened.stream as stream:
        text = shown_file(path, stream.read(LARGEST_SHOWN), size=opened.size)
    context |= {
        **_place(project),
        "tree": tree_beside(_listed(project), path),
        "path": path,
        "directory": directory_of(path),
        "name": path.rpartition("/")[2],
        "size": opened.size,
        "digest": opened.digest,
        "text": text,
    }
    return render(request, "console/projects/file.html", context)


@attachment
def raw(request: HttpRequest, project_id: UUID) -> HttpResponseBase:
    """Send a file of the draft, to be kept and not shown."""
    project = get_project(user=user_of(request), project_id=project_id)
    path = request.GET.get("path", "")
    opened = workspace_files.open_file(project, path=path)
    return file_response(Request(request), opened.stream, path=path, size=opened.size, digest=opened.digest)


@form_page
def edit(request: HttpRequest, project_id: UUID) -> HttpResponseBase:
    """Change a file of the draft, or write a new one."""
    project = get_project(user=user_of(request), project_id=project_id, right=Right.WRITE)
    editing = Editing(request, project)
    if request.method == "POST" and editing.save():
        messages.success(request, f"{editing.path} is saved in the draft.")
        return HttpResponseRedirect(_address("draft-file", project, path=editing.path))
    context = {**head_of(request, project, tab="files"), **editing.context()}
    return render(request, "console/projects/edit.html", context, status=editing.status)


@page
def changes(request: HttpRequest, project_id: UUID) -> HttpResponseBase:
    """Show what the draft has changed since the newest generation."""
    project, context = head(request, project_id, tab="files")
    try:
        found = workspace_diff.compare_workspace(project=project)
        context |= {"newest": found.generation, "changes": shown_draft(project, found)}
    except RepomillError as error:
        context["error"] = error
    return render(request, "console/projects/draft_changes.html", {**context, "is_draft": True})


@action
def remove(request: HttpRequest, project_id: UUID) -> HttpResponseBase:
    """Remove a file from the draft, as it was when it was looked at."""
    path = request.POST.get("path", "")
    expected = Expected(digests=frozenset({request.POST.get("digest", "")}))
    workspace_files.delete_file(user=user_of(request), project_id=project_id, path=path, expected=expected)
    messages.success(request, f"{path} is no longer in the draft.")
    return HttpResponseRedirect(reverse("console:draft", args=[project_id]))


@action
def begin(request: HttpRequest, project_id: UUID) -> HttpResponseBase:
    """Let the draft hold just what the newest generation holds, and go on to the file that is to be changed."""
    project = get_project(user=user_of(request), project_id=project_id, right=Right.WRITE)
    workspace_commit.check_out(project=project)
    messages.success(request, "The draft holds what the newest generation holds.")
    path = request.POST.get("path", "")
    if path:
        return HttpResponseRedirect(_address("draft-edit", project, path=path))
    return HttpResponseRedirect(reverse("console:draft", args=[project.pk]))


@action
def keep(request: HttpRequest, project_id: UUID) -> HttpResponseBase:
    """Make a generation of the draft."""
    user = user_of(request)
    project = get_project(user=user, project_id=project_id, right=Right.RUN)
    size = sum(size for _, size in _listed(project))
    if size > LARGEST_KEPT:
        raise QuotaExceeded(
            f"The draft is larger than {LARGEST_KEPT // 1024**2} MiB.",
            hint="Let a workflow generate it.",
            limit="total_bytes",
            maximum=LARGEST_KEPT,
            value=size,
        )
    made = workspace_commit.commit_workspace(project=project, user=user)
    words = "A generation was made of the draft." if made["changed"] else "Nothing has changed since this generation."
    messages.success(request, words)
    return HttpResponseRedirect(reverse("console:generation", args=[project.pk, made["generation"]]))


def _listed(project: Project) -> list[tuple[str, int]]:
    return [(entry.path, entry.size) for entry in workspace_files.list_files(project)]


def _place(project: Project) -> dict[str, Any]:
    """Return where the addresses of files are."""
    return {
        "is_draft": True,
        "tree_address": reverse("console:draft", args=[project.pk]),
        "file_address": reverse("console:draft-file", args=[project.pk]),
        "raw_address": reverse("console:draft-raw", args=[project.pk]),
    }


def _address(name: str, project: Project, *, path: str) -> str:
    return f"{reverse(f'console:{name}', args=[project.pk])}?{urlencode({'path': path})}"
