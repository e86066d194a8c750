"""The files of generations: as a tree, each in colour, or as a download. They were committed and are never changed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from rest_framework.request import Request

from backend.api.file_responses import file_response
from backend.apps.projects.generation_selectors import file_at, get_generation, recorded_files
from backend.apps.projects.models import GeneratedProject, Project, ProjectFile
from backend.apps.projects.selectors import get_project, newest_generation
from backend.apps.projects.services.recorded_bytes import open_recorded
from backend.console.pages import attachment, page, user_of
from backend.console.shown.file_text import LARGEST_SHOWN, FileText, shown_file
from backend.console.shown.tree import MOST_WHOLE, Tree, directory_of, tree_of
from backend.console.views.projects.frame import head_of
from backend.errors import NotFound


@page
def project(request: HttpRequest, project_id: UUID) -> HttpResponseBase:
    """Show the files of the newest generation, or how there come to be any."""
    found = get_project(user=user_of(request), project_id=project_id)
    newest = newest_generation(project=found, execution_id=None)
    if newest is None:
        return render(request, "console/projects/no_files.html", head_of(request, found, tab="files"))
    return _tree(request, found, newest, is_newest=True)


@page
def tree(request: HttpRequest, project_id: UUID, generation_id: UUID) -> HttpResponseBase:
    """Show the files of one generation."""
    found, generation = _found(request, project_id, generation_id)
    newest = newest_generation(project=found, execution_id=None)
    return _tree(request, found, generation, is_newest=newest is not None and newest.pk == generation.pk)


@page
def file(request: HttpRequest, project_id: UUID, generation_id: UUID) -> HttpResponseBase:
    """Show one file of a generation."""
    found, generation = _found(request, project_id, generation_id)
    path = request.GET.get("path", "")
    row = file_at(generation, path=path)
    newest = newest_generation(project=found, execution_id=None)
    missing = None
    try:
        text = _text(row)
    except NotFound as error:
        text, missing = FileText(None, ""), error
    context = {
        **head_of(request, found, tab="files"),
        **_place(found, generation, is_newest=newest is not None and newest.pk == generation.pk),
        "tree": tree_beside(_listed(generation), path),
        "path": path,
        "directory": directory_of(path),
        "name": row.file_name,
        "size": row.file_size,
        "digest": row.content_hash,
        "executable": row.executable,
        "text": text,
        "missing": missing,
    }
    return render(request, "console/projects/file.html", context)


@attachment
def raw(request: HttpRequest, project_id: UUID, generation_id: UUID) -> HttpResponseBase:
    """Send a file of a generation, to be kept and not shown."""
    _, generation = _found(request, project_id, generation_id)
    row = file_at(generation, path=request.GET.get("path", ""))
    return file_response(
        Request(request), open_recorded(row), path=row.file_path, size=row.file_size, digest=row.content_hash
    )


def tree_beside(files: list[tuple[str, int]], path: str) -> Tree:
    """Return the tree that stands beside a file: all of it, or its directory where there is too much."""
    return tree_of(files, below="" if len(files) <= MOST_WHOLE else directory_of(path), chosen=path)


def _tree(request: HttpRequest, project: Project, generation: GeneratedProject, *, is_newest: bool) -> HttpResponseBase:
    below = request.GET.get("below", "").strip("/")
    shown = tree_of(_listed(generation), below=below)
    if below and not shown.files:
        raise NotFound("The generation has no such directory.", field="below")
    context = {
        **head_of(request, project, tab="files"),
        **_place(project, generation, is_newest=is_newest),
        "tree": shown,
        "below": below,
    }
    return render(request, "console/projects/files.html", context)


def _found(request: HttpRequest, project_id: UUID, generation_id: UUID) -> tuple[Project, GeneratedProject]:
    user = user_of(request)
    found = get_project(user=user, project_id=project_id)
    return found, get_generation(user=user, generation_id=generation_id, project_id=project_id)


def _listed(generation: GeneratedProject) -> list[tuple[str, int]]:
    return list(recorded_files(generation).order_by().values_list("file_path", "file_size"))


def _place(project: Project, generation: GeneratedProject, *, is_newest: bool) -> dict[str, Any]:
    """Return where the addresses of files are."""
    key = [project.pk, generation.pk]
    return {
        "generation": generation,
        "is_newest": is_newest,
        "tree_address": reverse("console:generation-files", args=key),
        "file_address": reverse("console:generation-file", args=key),
        "raw_address": reverse("console:generation-raw", args=key),
    }


def _text(row: ProjectFile) -> FileText:
    with open_recorded(row) as stream:
        return shown_file(row.file_path, stream.read(LARGEST_SHOWN), size=row.file_size)
