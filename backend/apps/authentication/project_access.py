"""What the lower apps have to know of projects, which lie above them: who sees which, and as what.

The projects app registers itself here when it is ready. Without one nobody has a project.
"""

from __future__ import annotations

from typing import Any, Protocol
from uuid import UUID

from django.db.models import QuerySet

from backend.apps.authentication.models import User
from backend.apps.authentication.roles import Role


class ProjectAccess(Protocol):
    """What has to be known of projects."""

    def visible_ids(self, user: User) -> QuerySet[Any, Any]:
        """Return the ids of the projects that a user may see, as a query that can stand inside another one."""
        ...

    def role_in(self, user: User, project_id: UUID) -> Role | None:
        """Return the user's role in a project, or None for a stranger and where there is no such project."""
        ...


class NoProjects:
    """The answer of an installation without projects."""

    def visible_ids(self, user: User) -> QuerySet[Any, Any]:  # noqa: ARG002  (the protocol's)
        """Return no ids."""
        return User.objects.none().values_list("pk", flat=True)

    def role_in(self, user: User, project_id: UUID) -> None:
        """Return None: everybody is a stranger."""


_registered: list[ProjectAccess] = [NoProjects()]


def register_project_access(access: ProjectAccess) -> None:
    """Say who knows about projects; the last one counts."""
    _registered[:] = [access]


def project_access() -> ProjectAccess:
    """Return who knows about projects."""
    return _registered[0]
