"""What all pages of one project begin with: which it is, what the user is in it, and what they may do."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest

from backend.apps.authentication.roles import RIGHTS
from backend.apps.projects.models import Project
from backend.apps.projects.selectors import get_project, labels_of, role_in
from backend.console.pages import user_of


def head(request: HttpRequest, project_id: UUID, *, tab: str) -> tuple[Project, dict[str, Any]]:
    """Return the project, which the user may see, and what its pages show of it. Raises as `get_project` does."""
    user = user_of(request)
    project = get_project(user=user, project_id=project_id)
    return project, head_of(request, project, tab=tab)


def head_of(request: HttpRequest, project: Project, *, tab: str) -> dict[str, Any]:
    """Return the same for a project that was found already."""
    role = role_in(user=user_of(request), project=project)
    rights = RIGHTS[role] if role else frozenset()
    return {
        "project": project,
        "role": role,
        "may": {str(right): True for right in rights},
        "labels": labels_of(project),
        "tab": tab,
    }
