"""Who may see and change which project.

The one door to a project for everything a user asks for: REST, the command line and tasks alike. It reads; it changes
nothing.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Case, CharField, Model, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce, Left
from django.db.models.lookups import Exact

from backend.apps.authentication.models import User
from backend.apps.authentication.project_access import KnownProject
from backend.apps.authentication.roles import SCOPE_FOR, Right, Role, granted, is_operator, lowest_role_with, may
from backend.apps.projects.models import (
    GeneratedProject,
    OrganisationMembership,
    Project,
    ProjectFile,
    ProjectLabel,
    ProjectMembership,
)
from backend.errors import InvalidInput, NotFound, PermissionRefused

Row = TypeVar("Row", bound=Model)

# What a slug can be; anything else (a NUL, which PostgreSQL refuses) need not be asked for.
SLUG = re.compile(r"[-a-zA-Z0-9_]{1,100}")
FILES_AT_ONCE = 100
MOST_FILES_AT_ONCE = 1000


class Roles:
    """What the apps below ask about projects: a `ProjectAccess` (see `authentication.project_access`)."""

    def visible_ids(self, user: User) -> QuerySet[Project, UUID]:
        """Return the ids of the projects that a user may see, as a query that can stand inside another one."""
        return visible_projects(user=user).order_by().values_list("pk", flat=True)

    def role_in(self, user: User, project_id: UUID) -> Role | None:
        """Return the user's role in a project, or None for a stranger and where there is no such project."""
        found = _with_membership(user).filter(pk=project_id).first()
        return None if found is None else role_in(user=user, project=found)

    def find(self, user: User, reference: str, right: Right) -> KnownProject:
        """Return the project of that id or slug; raises as `project_by_slug_or_id` does."""
        project = project_by_slug_or_id(user=user, reference=reference, right=right)
        return KnownProject(id=project.pk, name=project.slug)


def visible_projects(*, user: User) -> QuerySet[Project]:
    """Return the projects that the user owns, is a member of, or administers the organisation of.

    All for an operator, none for an inactive user. A token that is good for one project alone sees that one.
    """
    if not user.is_active:
        return Project.objects.none()
    projects = Project.objects.all()
    if user.grant is not None and user.grant.project_id is not None:
        projects = projects.filter(pk=user.grant.project_id)
    if is_operator(user):
        return projects
    # A subquery and not a join: a join would give one row for each membership, and count them so.
    memberships = ProjectMembership.objects.filter(user=user).values("project_id")
    return projects.filter(Q(owner=user) | Q(pk__in=memberships) | Q(organisation__in=_administered(user)))


def projects_with_right(*, user: User, right: Right) -> QuerySet[Project]:
    """Return the projects in which the user has a right; none where the token that they act with is not good for it."""
    visible = visible_projects(user=user)
    if not granted(user, right):
        return visible.none()
    if is_operator(user):
        return visible
    roles = [role for role in ProjectMembership.Role.values if may(Role(role), right)]
    memberships = ProjectMembership.objects.filter(user=user, role__in=roles).values("project_id")
    return visible.filter(Q(owner=user) | Q(pk__in=memberships) | Q(organisation__in=_administered(user)))


def find_projects(
    *,
    user: User,
    search: str | None = None,
    organisation: UUID | None = None,
    owner: UUID | None = None,
    label: str | None = None,
    ordering: str | None = None,
) -> QuerySet[Project]:
    """Return the projects that the user may see, by name.

    search: those with this in their name or slug. organisation: those in it. owner: those of this user. label: those
    that have it. ordering: by another column that the API offers, such as `-created_at`.
    """
    found = visible_projects(user=user)
    if search:
        found = found.filter(Q(name__icontains=search) | Q(slug__icontains=search))
    if organisation is not None:
        found = found.filter(organisation_id=organisation)
    if owner is not None:
        found = found.filter(owner_id=owner)
    if label:
        found = found.filter(pk__in=ProjectLabel.objects.filter(name=label).values("project_id"))
    return found.order_by(ordering, "id") if ordering else found


def role_in(*, user: User, project: Project) -> Role | None:
    """Return the user's role in a project, or None for a stranger. What a token is good for is not asked here."""
    if not user.is_active:
        return None
    if is_operator(user):
        return Role.OPERATOR
    if project.owner_id == user.pk:
        return Role.OWNER
    # Read together with the row where it came through this door.
    given: str | None = getattr(project, "membership_role", None)
    if given is None:
        given = getattr(_with_membership(user).filter(pk=project.pk).first(), "membership_role", None)
    return Role(given) if given else None


def get_project(
    *, user: User, project_id: UUID | str, write: bool = False, right: Right | None = None, lock: bool = False
) -> Project:
    """Return the project, as one in which the user has a right: to see it, unless another one is named.

    write: short for `right=Right.WRITE`. lock: nobody else changes or deletes it until the transaction ends.
    Raises NotFound where there is none or the user may not see it (the two look alike), and PermissionRefused where
    they see it without having that right.
    """
    identifier = project_id if isinstance(project_id, UUID) else as_uuid(project_id)
    visible = locked(_with_membership(user)) if lock else _with_membership(user)
    found = visible.filter(pk=identifier).first() if identifier else None
    return _checked(found, user=user, right=right or _right(write), reference=str(project_id))


def project_by_slug_or_id(
    *, user: User, reference: UUID | str, write: bool = False, right: Right | None = None
) -> Project:
    """Return the project named by its id or its slug; the id wins. Raises as `get_project` does."""
    identifier = reference if isinstance(reference, UUID) else as_uuid(reference)
    visible = _with_membership(user)
    found = visible.filter(pk=identifier).first() if identifier else None
    if found is None and SLUG.fullmatch(str(reference)):
        found = visible.filter(slug=str(reference)).first()
    return _checked(found, user=user, right=right or _right(write), reference=str(reference))


def locked(rows: QuerySet[Row]) -> QuerySet[Row]:
    """Return the rows as they are when nobody else is changing them, locked until the transaction ends.

    What refers to them can be added meanwhile; who must not add it while they are being deleted locks them too.
    """
    return rows.select_for_update(of=("self",), no_key=True)


def labels_of(project: Project) -> list[str]:
    """Return the labels that a project has, sorted."""
    return sorted(ProjectLabel.objects.filter(project=project).values_list("name", flat=True))


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
        files = files.filter(path_begins_with(f"{below.rstrip('/')}/"))
    if not previews:
        files = files.defer("content_preview")
    return list(files.order_by("file_path")[:limit])


def _right(write: bool) -> Right:
    return Right.WRITE if write else Right.SEE


def _with_membership(user: User) -> QuerySet[Project]:
    membership = ProjectMembership.objects.filter(project=OuterRef("pk"), user=user).values("role")[:1]
    # In its projects an organisation's admin may do what their owners may.
    role = Case(
        When(organisation__in=_administered(user), then=Value(Role.OWNER.value)),
        default=Coalesce(Subquery(membership), Value("")),
        output_field=CharField(),
    )
    return visible_projects(user=user).annotate(membership_role=role)


def _administered(user: User) -> QuerySet[OrganisationMembership, UUID]:
    admins = OrganisationMembership.objects.filter(user=user, role=OrganisationMembership.Role.ADMIN)
    return admins.values_list("organisation_id", flat=True)


def _checked(project: Project | None, *, user: User, right: Right, reference: str) -> Project:
    if project is None:
        raise NotFound(
            f"There is no project {reference[:100]!r}.",
            field="project",
            hint="Check the id, and that you are a member of the project.",
        )
    if not may(role_in(user=user, project=project), right):
        raise PermissionRefused(
            f"Your role in this project does not include the right to {right}.",
            field="project",
            hint=f"Ask the project's owner for the role {lowest_role_with(right)}.",
        )
    if not granted(user, right):
        raise PermissionRefused(
            f"The token does not have the scope {SCOPE_FOR[right]!r}.",
            field="project",
            hint="Make a token that has it; a token's scopes never change.",
        )
    return project


def path_begins_with(text: str) -> Exact[Any]:
    """Return the condition of files whose path begins so. SQLite's LIKE would take `SRC/` for `src/`."""
    return Exact(Left("file_path", len(text)), text)


def as_uuid(text: str) -> UUID | None:
    """Return the id that a text is, or None."""
    try:
        return UUID(text)
    except ValueError:
        return None
