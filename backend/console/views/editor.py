"""The page on which a definition is written: checked while it is typed, looked at before it is saved.

Whoever has an account may save one of their own, as over REST, or one of a project that they may change. Without
scripts the buttons do the same, one request at a time.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from backend.api.turns import require_turn
from backend.apps.authentication.roles import Right
from backend.apps.projects.selectors import projects_with_right
from backend.apps.workflows import step_types
from backend.apps.workflows.access import home_of
from backend.apps.workflows.definition_selectors import get_version
from backend.apps.workflows.definitions.check import read_definition
from backend.apps.workflows.definitions.writing import as_yaml
from backend.apps.workflows.errors import InvalidDefinition
from backend.apps.workflows.services import save_definition
from backend.apps.workflows.services.dry_run import dry_run
from backend.console.pages import form_page, user_of
from backend.console.shown.dry_run import shown_dry_run
from backend.errors import InvalidInput, NotFound, PermissionRefused, RateLimited, RepomillError
from backend.strict_json import NotJSON, read_json

MOST_PROJECTS = 500
EXAMPLE = """\
name: hello
description: Writes a README.

inputs:
  type: object
  required: [name]
  properties:
    name:
      type: string
      description: What it is called.

steps:
  - id: files
    type: file_generation
    config:
      readme: |
        # ${{ inputs.name }}
"""


@form_page
def editor(request: HttpRequest) -> HttpResponseBase:
    """Show the editor, and do what its buttons say: check, dry-run or save."""
    if request.method == "POST":
        source = _source(request)
        does = request.POST.get("do", "check")
        if does == "save":
            return _save(request, source)
        result = _looked(request, source) if does == "dry-run" else _checked(source)
        return _page(request, source, **result)
    wanted = request.GET.get("workflow", "")
    number = request.GET.get("version", "")
    if not wanted:
        return _page(request, EXAMPLE)
    version = get_version(
        user=user_of(request), workflow=wanted, number=int(number) if number.isdecimal() and len(number) < 10 else None
    )
    return _page(request, as_yaml(version.definition), version=version, home=str(version.workflow.project_id or ""))


@form_page
def check(request: HttpRequest) -> HttpResponseBase:
    """Say what is wrong with a definition, as a part of the page."""
    return render(request, "console/workflows/check.html", _checked(_source(request)))


@form_page
def dry_run_part(request: HttpRequest) -> HttpResponseBase:
    """Show what a definition would do, as a part of the page."""
    return render(request, "console/workflows/dry_run.html", _looked(request, _source(request)))


def _save(request: HttpRequest, source: str) -> HttpResponseBase:
    try:
        home = home_of(user=user_of(request), project=request.POST.get("home") or None)
        version = save_definition(read_definition(source), **home)
    except RepomillError as error:
        return _page(request, source, status=422, error=error)
    messages.success(request, f"{version.workflow.name} is saved as version {version.number}.")
    if version.taken:
        messages.warning(request, "A secret stood in it and was not saved: it is an input now.")
    return HttpResponseRedirect(reverse("console:workflow", args=[version.workflow_id]))


def _checked(source: str) -> dict[str, Any]:
    try:
        return {"checked": read_definition(source)}
    except InvalidDefinition as error:
        return {"error": error}


def _looked(request: HttpRequest, source: str) -> dict[str, Any]:
    """Return what the definition would do with the inputs that are given beside it, or why that cannot be said."""
    try:
        require_turn(user_of(request))
        definition = read_definition(source)
        run = dry_run(
            definition=definition,
            inputs=_inputs(request.POST.get("inputs", "")),
            user=user_of(request),
            project=request.POST.get("project") or None,
        )
    except (InvalidInput, NotFound, PermissionRefused, RateLimited) as error:
        return {"error": error}
    return {"dry": shown_dry_run(run), "checked": definition}


def _inputs(text: str) -> dict[str, Any]:
    try:
        found = read_json(text or "{}")
    except NotJSON as error:
        raise InvalidInput(f"The inputs are not JSON, line {error.line}: {error.reason}.", field="inputs") from error
    if not isinstance(found, dict):
        raise InvalidInput("The inputs have to be an object.", field="inputs", expected="an object such as {}")
    return found


def _source(request: HttpRequest) -> str:
    return request.POST.get("source", "").replace("\r\n", "\n")


def _page(request: HttpRequest, source: str, *, status: int = 200, **more: Any) -> HttpResponse:  # noqa: ANN401
    user = user_of(request)
    projects = projects_with_right(user=user, right=Right.RUN).order_by("name", "id")[:MOST_PROJECTS]
    context = {
        "homes": projects_with_right(user=user, right=Right.WRITE).order_by("name", "id")[:MOST_PROJECTS],
        "home": request.POST.get("home", ""),
        "source": source,
        "projects": projects,
        "project": request.POST.get("project", ""),
        "inputs": request.POST.get("inputs", ""),
        "step_types": [step_types.get(name) for name in step_types.names()],
        "largest": settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
        **more,
    }
    return render(request, "console/workflows/editor.html", context, status=status)
