"""Who has which role in a project. It reads; it changes nothing."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Case, CharField, OuterRef, Q, QuerySet, Subquery, Value, When

from backend.apps.authentication.models import User
from backend.apps.authentication.roles import Role
from backend.apps.projects.models import Project, ProjectMembership
from backend.apps.projects.selectors import get_project
from backend.errors import NotFound


def members_of(*, user: User, project_id: UUID, role: str | None = None) -> QuerySet[User]:
    """Return the project's owner and members by name, each with their `role`. Raises as `get_project` does."""
    return _members(get_project(user=user, project_id=project_id), role=role)


def get_member(*, user: User, project_id: UUID, member_id: UUID) -> User:
    """Return the project's owner or member, with their `role`. Raises NotFound."""
    return member_in(get_project(user=user, project_id=project_id), member_id)


def member_in(project: Project, member_id: UUID) -> User:
    """Return somebody of a project that was found already, with their `role`. Raises NotFound."""
    found = _members(project).filter(pk=member_id).first()
    if found is None:
        raise NotFound(f"The project has no member '{member_id}'.", field="member")
    return found


def _members(project: Project, *, role: str | None = None) -> QuerySet[User]:
    memberships = ProjectMembership.objects.filter(project=project)
    given = Subquery(memberships.filter(user=OuterRef("pk")).values("role")[:1])
    owner_first = Case(When(pk=project.owner_id, then=Value(Role.OWNER.value)), default=given, output_field=CharField())
    people = User.objects.filter(Q(pk=project.owner_id) | Q(pk__in=memberships.values("user_id")))
    found = people.annotate(role=owner_first).order_by("username", "pk")
    return found if role is None else found.filter(role=role)
