"""Makes and changes projects, stories and sprints, in a user's name and within what the user may do.

Every function checks the user's rights and the values itself, so that REST, the command line and tasks may all call it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import date
from typing import Any, TypedDict, TypeVar, Unpack
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.utils.text import slugify

from backend.apps.authentication.models import User
from backend.apps.authentication.roles import Right
from backend.apps.projects.models import Project, Sprint, Story
from backend.apps.projects.planning_selectors import get_sprint, get_story
from backend.apps.projects.selectors import get_project, locked
from backend.apps.projects.services.organisations import organisation_for_project
from backend.errors import InvalidInput, NotFound, PermissionRefused

Row = TypeVar("Row", bound=models.Model)

LONGEST_SLUG = 100
# Room for the number or letters that make a taken slug another one.
ROOM_FOR_SUFFIX = 10
MOST_NUMBERED = 100


class ProjectFields(TypedDict, total=False):
    """What can be said about a project. `slug` is unique among all projects."""

    name: str
    slug: str
    description: str
    organisation_id: UUID | None


class StoryFields(TypedDict, total=False):
    """What can be said about a story. `sprint_id` names a sprint of the same project, or is None."""

    title: str
    description: str
    acceptance_criteria: str
    status: str
    priority: str
    story_points: int | None
    sprint_id: UUID | None


class SprintFields(TypedDict, total=False):
    """What can be said about a sprint. It ends on the day it begins, or later."""

    name: str
    goal: str
    start_date: date
    end_date: date
    status: str


@transaction.atomic
def create_project(
    *, user: User, name: str, slug: str = "", description: str = "", organisation_id: UUID | None = None
) -> Project:
    """Create a project that the user owns; without a slug it gets one made from its name.

    organisation_id: one that the user is in. Raises InvalidInput for values that cannot be, also for a slug that is
    taken, NotFound for another organisation, and PermissionRefused for who acts with a token for one project.
    """
    if user.grant is not None and user.grant.project_id is not None:
        raise PermissionRefused("The token is good for one project alone.", hint="Make the project with another one.")
    organisation = organisation_for_project(user=user, organisation_id=organisation_id)
    project = Project(
        name=name, slug=slug or _free_slug(name), description=description, owner=user, organisation=organisation
    )
    if not slug:
        try:
            return _save(project)
        except InvalidInput as error:
            if error.place.get("field") != "slug":
                raise
            # Somebody took it between the question and the saving.
            project.slug = f"{_base(name)}-{secrets.token_hex(4)}"
    return _save(project)


@transaction.atomic
def update_project(*, user: User, project_id: UUID, **fields: Unpack[ProjectFields]) -> Project:
    """Change a project; into another organisation it is put by its owner, who is in that one.

    Raises NotFound, PermissionRefused or InvalidInput.
    """
    project = get_project(user=user, project_id=project_id, write=True, lock=True)
    if "organisation_id" in fields and fields["organisation_id"] != project.organisation_id:
        get_project(user=user, project_id=project_id, right=Right.OWN)
        organisation_for_project(user=user, organisation_id=fields["organisation_id"])
    return _change(project, fields)


@transaction.atomic
def create_story(*, user: User, project_id: UUID, **fields: Unpack[StoryFields]) -> Story:
    """Create a story. Raises NotFound (also for another project's sprint), PermissionRefused or InvalidInput."""
    project = get_project(user=user, project_id=project_id, write=True, lock=True)
    _check_sprint(project.pk, fields)
    return _save(Story(project=project, created_by=user, **fields))


@transaction.atomic
def update_story(*, user: User, story_id: UUID, **fields: Unpack[StoryFields]) -> Story:
    """Change a story. Raises NotFound (also for a sprint of another project), PermissionRefused or InvalidInput."""
    # The sprint is locked before the story, as where a sprint is deleted; the story's project never changes.
    _check_sprint(get_story(user=user, story_id=story_id, write=True).project_id, fields)
    return _change(get_story(user=user, story_id=story_id, write=True, lock=True), fields)


def delete_story(*, user: User, story_id: UUID) -> None:
    """Delete a story. Raises NotFound or PermissionRefused."""
    get_story(user=user, story_id=story_id, write=True).delete()


@transaction.atomic
def create_sprint(*, user: User, project_id: UUID, **fields: Unpack[SprintFields]) -> Sprint:
    """Create a sprint in a project. Raises NotFound, PermissionRefused or InvalidInput."""
    project = get_project(user=user, project_id=project_id, write=True, lock=True)
    sprint = Sprint(project=project, created_by=user, **fields)
    _check_dates(sprint)
    return _save(sprint)


@transaction.atomic
def update_sprint(*, user: User, sprint_id: UUID, **fields: Unpack[SprintFields]) -> Sprint:
    """Change a sprint. Raises NotFound, PermissionRefused or InvalidInput."""
    sprint = get_sprint(user=user, sprint_id=sprint_id, write=True, lock=True)
    return _change(sprint, fields)


@transaction.atomic
def delete_sprint(*, user: User, sprint_id: UUID) -> None:
    """Delete a sprint; its stories stay, without one. Raises NotFound or PermissionRefused."""
    get_sprint(user=user, sprint_id=sprint_id, write=True, lock=True).delete()


def _check_sprint(project_id: UUID, fields: StoryFields) -> None:
    wanted = fields.get("sprint_id")
    # Locked: it must not be deleted while a story is put into it.
    if wanted is not None and not locked(Sprint.objects.filter(project=project_id, pk=wanted)).first():
        raise NotFound(f"There is no sprint '{wanted}' in this project.", field="sprint")


def _check_dates(sprint: Sprint) -> None:
    if sprint.start_date and sprint.end_date and sprint.end_date < sprint.start_date:
        raise InvalidInput(
            f"The sprint ends ({sprint.end_date}) before it begins ({sprint.start_date}).", field="end_date"
        )


def _change(row: Row, fields: Mapping[str, Any]) -> Row:
    for name, value in fields.items():
        setattr(row, name, value)
    if isinstance(row, Sprint):
        _check_dates(row)
    return _save(row, only=[*fields, "updated_at"])


def _save(row: Row, *, only: list[str] | None = None) -> Row:
    """Check a row's own values and save it, or these columns alone. Raises InvalidInput that names the field."""
    for field in row._meta.concrete_fields:
        value = getattr(row, field.attname)
        if isinstance(value, str) and "\0" in value:
            raise InvalidInput(f"{field.name}: a NUL character cannot be stored.", field=field.name)
    try:
        # Foreign keys were looked up through what the user may see; the database keeps them true.
        row.clean_fields(exclude=[field.name for field in row._meta.concrete_fields if field.is_relation])
        with transaction.atomic():
            row.save(update_fields=only)
    except ValidationError as error:
        name, messages = next(iter(error.message_dict.items()))
        raise InvalidInput(f"{name}: {messages[0]}", field=name) from error
    except IntegrityError as error:
        if isinstance(row, Project) and Project.objects.exclude(pk=row.pk).filter(slug=row.slug).exists():
            raise InvalidInput(f"The slug {row.slug!r} is taken.", field="slug", hint="Choose another one.") from error
        raise
    return row


def _base(name: str) -> str:
    return slugify(name)[: LONGEST_SLUG - ROOM_FOR_SUFFIX].strip("-_") or "project"


def _free_slug(name: str) -> str:
    base = _base(name)
    taken = set(Project.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    candidates = [base, *(f"{base}-{number}" for number in range(2, MOST_NUMBERED))]
    return next((each for each in candidates if each not in taken), f"{base}-{secrets.token_hex(4)}")
