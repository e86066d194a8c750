"""Who may see and change which story and sprint: those of the projects that `selectors` lets them see and change."""

from __future__ import annotations

from typing import TypeVar
from uuid import UUID

from django.db.models import QuerySet

from backend.apps.authentication.models import User
from backend.apps.projects.models import Sprint, Story
from backend.apps.projects.selectors import get_project, locked, visible_projects
from backend.errors import NotFound

Planned = TypeVar("Planned", Story, Sprint)


def stories_of(
    *, user: User, project_id: UUID, status: str | None = None, sprint_id: UUID | None = None
) -> QuerySet[Story]:
    """Return a project's stories, newest first, of a status and a sprint where given. Raises as get_project does."""
    stories = Story.objects.filter(project=get_project(user=user, project_id=project_id, write=False))
    if status is not None:
        stories = stories.filter(status=status)
    return stories if sprint_id is None else stories.filter(sprint_id=sprint_id)


def sprints_of(*, user: User, project_id: UUID, status: str | None = None) -> QuerySet[Sprint]:
    """Return a project's sprints by their beginning, narrowed to a status where given. Raises as get_project does."""
    sprints = Sprint.objects.filter(project=get_project(user=user, project_id=project_id, write=False))
    return sprints if status is None else sprints.filter(status=status)


def get_story(*, user: User, story_id: UUID, write: bool, lock: bool = False) -> Story:
    """Return a story. Raises NotFound, also for a stranger's, and PermissionRefused where writing is not allowed.

    lock: nobody else changes or deletes it until the transaction ends.
    """
    stories = Story.objects.all()
    return _get(locked(stories) if lock else stories, user=user, identifier=story_id, write=write)


def get_sprint(*, user: User, sprint_id: UUID, write: bool, lock: bool = False) -> Sprint:
    """Return a sprint. Raises NotFound, also for a stranger's, and PermissionRefused where writing is not allowed.

    lock: nobody else changes or deletes it until the transaction ends.
    """
    sprints = Sprint.objects.all()
    return _get(locked(sprints) if lock else sprints, user=user, identifier=sprint_id, write=write)


def _get(things: QuerySet[Planned], *, user: User, identifier: UUID, write: bool) -> Planned:
    # In one query with what is visible: a stranger's thing must be no slower or otherwise different than none.
    found = things.filter(pk=identifier, project__in=visible_projects(user=user)).first()
    if found is None:
        name = things.model._meta.verbose_name
        raise NotFound(
            f"There is no {name} '{identifier}'.",
            field=str(name),
            hint="Check the id, and that you are a member of its project.",
        )
    if write:
        get_project(user=user, project_id=found.project_id, write=True)
    return found
