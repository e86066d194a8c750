"""Who may see and change which project.

The one door to a project for everything a user asks for: REST, the command line and tasks alike. It reads; it changes
nothing.
"""

from __future__ import annotations

import re
from uuid import UUID

from django.db.models import Q, QuerySet

from backend.apps.authentication.models import User
from backend.apps.projects.models import GeneratedProject, Project, ProjectFile, ProjectMembership
from backend.errors import InvalidInput, NotFound, PermissionRefused

# What a slug can be; anything else (a NUL, which PostgreSQL refuses) need not be asked for.
SLUG = re.compile(r"[-a-zA-Z0-9_]{1,100}")
FILES_AT_ONCE = 100
MOST_FILES_AT_ONCE = 1000
WRITING_ROLES = (ProjectMembership.Role.AUTHOR, ProjectMembership.Role.MAINTAINER)


def visible_projects(*, user: User) -> QuerySet[Project]:
    """Return the projects that the user owns or is a member of; all for a superuser, none for an inactive user."""
    if not user.is_active:
        return Project.objects.none()
    if user.is_superuser:
        return Project.objects.all()
    # A subquery and not a join: a join would give one row for each membership, and count them so.
    memberships = ProjectMembership.objects.filter(user=user).values("project_id")
    return Project.objects.filter(Q(owner=user) | Q(pk__in=memberships))


def may_write(*, user: User, project: Project) -> bool:
    """Return whether the user may change the project: superusers, its owner, its authors and its maintainers."""
    if not user.is_active:
        return False
    if user.is_superuser or project.owner_id == user.pk:
        return True
    return ProjectMembership.objects.filter(project=project, user=user, role__in=WRITING_ROLES).exists()


def get_project(*, user: User, project_id: UUID | str, write: bool) -> Project:
    """Return the project.

    Raises NotFound where there is none or the user may not see it (the two look alike), and PermissionRefused where
    `write` is asked for and the user may only read.
    """
    identifier = project_id if isinstance(project_id, UUID) else _as_uuid(project_id)
    found = visible_projects(user=user).filter(pk=identifier).first() if identifier else None
    return _checked(found, user=user, write=write, reference=str(project_id))


def project_by_slug_or_id(*, user: User, reference: UUID | str, write: bool) -> Project:
    """Return the project named by its id or its slug; the id wins. Raises as `get_project` does."""
    identifier = reference if isinstance(reference, UUID) else _as_uuid(reference)
    visible = visible_projects(user=user)
    found = visible.filter(pk=identifier).first() if identifier else None
    if found is None and SLUG.fullmatch(str(reference)):
        found = visible.filter(slug=str(reference)).first()
    return _checked(found, user=user, write=write, reference=str(reference))


def newest_generation(*, project: Project, execution_id: UUID | None) -> GeneratedProject | None:
    """Return the execution's generation of the project; without an execution the one that was completed last."""
    generations = GeneratedProject.objects.filter(project=project)
    if execution_id is not None:
        return generations.filter(workflow_execution_id=execution_id).first()
    return generations.filter(status=GeneratedProject.Status.COMPLETED).order_by("-completed_at", "-created_at").first()


def list_files(
    *,
    generation: GeneratedProject,
    after: str | None = None,
    limit: int = FILES_AT_ONCE,
    file_type: str | None = None,
    below: str | None = None,
    previews: bool = False,
) -> list[ProjectFile]:
    """Return the next files of a generation, sorted by path as the database sorts, by one query.

    after: the path that the page before ended with; None for the first page. limit: at most 1,000.
    file_type: only these. below: only what lies in this directory. previews: with `content_preview`, which is left out
    otherwise and would take a query for each file.
    Raises InvalidInput for another limit.
    """
    if not 1 <= limit <= MOST_FILES_AT_ONCE:
        raise InvalidInput(f"A page has from 1 to {MOST_FILES_AT_ONCE:,} files.", field="limit")
    files = ProjectFile.objects.filter(generated_project=generation)
    if after is not None:
        files = files.filter(file_path__gt=after)
    if file_type is not None:
        files = files.filter(file_type=file_type)
    if below:
        files = files.filter(file_path__startswith=f"{below.rstrip('/')}/")
    if not previews:
        files = files.defer("content_preview")
    return list(files.order_by("file_path")[:limit])


def _checked(project: Project | None, *, user: User, write: bool, reference: str) -> Project:
    if project is None:
        raise NotFound(
            f"There is no project {reference[:100]!r}.",
            field="project",
            hint="Check the id, and that you are a member of the project.",
        )
    if write and not may_write(user=user, project=project):
        raise PermissionRefused(
            "You may read this project but not change it.",
            field="project",
            hint="Ask the project's owner for the role of an author.",
        )
    return project


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
