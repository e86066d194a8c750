"""The pages of workflows: which there are, what each says, and what its versions changed."""

from __future__ import annotations

import difflib
from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render

from backend.apps.workflows import definition_selectors
from backend.apps.workflows.definitions.writing import as_yaml
from backend.apps.workflows.models import WorkflowVersion
from backend.console.pages import page, user_of

PER_PAGE = 25
VERSIONS = 50
LONGEST_SEARCH = 100
MOST_LINES = 20_000
"""Lines of two versions together that are compared."""


@page
def workflows(request: HttpRequest) -> HttpResponseBase:
    """List workflows by name, narrowed to those whose name holds what is searched for."""
    search = request.GET.get("search", "").replace("\0", "")[:LONGEST_SEARCH].strip()
    found = Paginator(
        definition_selectors.workflows(user=user_of(request), search=search).select_related("owner"), PER_PAGE
    ).get_page(request.GET.get("page"))
    return render(request, "console/workflows/list.html", {"found": found, "search": search})


@page
def workflow(request: HttpRequest, workflow_id: UUID) -> HttpResponseBase:
    """Show a workflow as its newest version says it, and its versions."""
    user = user_of(request)
    newest = definition_selectors.get_version(user=user, workflow=workflow_id)
    versions = definition_selectors.versions_of(user=user, workflow_id=workflow_id)[:VERSIONS]
    context = {
        "version": newest,
        "workflow": newest.workflow,
        "definition": newest.definition,
        "inputs": _inputs(newest),
        "versions": versions,
        "source": as_yaml(newest.definition),
    }
    return render(request, "console/workflows/workflow.html", context)


@page
def version(request: HttpRequest, workflow_id: UUID, number: int) -> HttpResponseBase:
    """Show one version, and what differs from another one: `against`, or the one before."""
    user = user_of(request)
    shown = definition_selectors.get_version(user=user, workflow=workflow_id, number=number)
    against = request.GET.get("against", "")
    other = int(against) if against.isdecimal() and len(against) < 10 else number - 1
    wanted = other > 0 and other != number
    old = definition_selectors.get_version(user=user, workflow=workflow_id, number=other) if wanted else None
    source = as_yaml(shown.definition)
    numbers = list(
        definition_selectors.versions_of(user=user, workflow_id=workflow_id).values_list("number", flat=True)
    )
    context = {
        "version": shown,
        "workflow": shown.workflow,
        "source": source,
        "old": old,
        "diff": difference(as_yaml(old.definition), source) if old else None,
        "numbers": [each for each in numbers[:VERSIONS] if each != number],
    }
    return render(request, "console/workflows/version.html", context)


def difference(old: str, new: str) -> list[tuple[str, str]] | None:
    """Return the lines of a unified diff with what each is: added, removed, place or same. None: too many lines."""
    lines = old.splitlines(), new.splitlines()
    if sum(map(len, lines)) > MOST_LINES:
        return None
    return diff_lines("\n".join(list(difflib.unified_diff(*lines, lineterm=""))[2:]))


def diff_lines(text: str) -> list[tuple[str, str]]:
    """Return the lines of a unified diff with what each is."""
    kinds = {"+": "added", "-": "removed", "@": "place", "\\": "place"}
    return [(kinds.get(line[:1], "same"), line) for line in text.splitlines()]


def _inputs(version: WorkflowVersion) -> list[dict[str, Any]]:
    schema = version.definition.get("inputs", {})
    needed = set(schema.get("required", ()))
    return [
        {
            "name": name,
            "type": part.get("type", "") if isinstance(part, dict) else "",
            "description": part.get("description", "") if isinstance(part, dict) else "",
            "required": name in needed,
        }
        for name, part in schema.get("properties", {}).items()
    ]
