"""Stories and sprints of all projects that a user may see."""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet

from backend.apps.authentication.models import User
from backend.apps.projects.models import Sprint, Story
from backend.apps.projects.selectors import visible_projects

Row = TypeVar("Row", bound=Model)


def all_stories(
    *, user: User, project: UUID | None = None, status: str | None = None, sprint: UUID | None = None
) -> QuerySet[Story]:
    """Return the stories that the user may see, newest first, of a project, a status and a sprint where given."""
    return _narrowed(Story.objects.all(), user=user, project=project, status=status, sprint=sprint)


def all_sprints(*, user: User, project: UUID | None = None, status: str | None = None) -> QuerySet[Sprint]:
    """Return the sprints that the user may see by their beginning, of a project and a status where given."""
    return _narrowed(Sprint.objects.all(), user=user, project=project, status=status)


def _narrowed(things: QuerySet[Row], *, user: User, **wanted: Any) -> QuerySet[Row]:  # noqa: ANN401
    chosen = {name: value for name, value in wanted.items() if value is not None}
    return things.filter(project__in=visible_projects(user=user), **chosen)
