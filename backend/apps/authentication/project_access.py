"""What the lower apps have to know of projects, which lie above them: who sees which, and as what.

The projects app registers itself here when it is ready. Without one nobody has a project.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn, Protocol
from uuid import UUID

from django.db.models import QuerySet

from backend.apps.authentication.models import User
from backend.apps.authentication.roles import Right, Role
from backend.errors import NotFound


@dataclass(frozen=True)
class KnownProject:
    """What an execution keeps of the project that it works on."""

    id: UUID
    name: str


class ProjectAccess(Protocol):
    """What has to be known of projects."""

    def visible_ids(self, user: User) -> QuerySet[Any, Any]:
        """Return the ids of the projects that a user may see, as a query that can stand inside another one."""
        ...

    def role_in(self, user: User, project_id: UUID) -> Role | None:
        """Return the user's role in a project, or None for a stranger and where there is no such project."""
        ...

    def find(self, user: User, reference: str, right: Right) -> KnownProject:
        """Return the project of that id or slug, in which the user has the right.

        Raises NotFound for a stranger and where there is none, PermissionRefused where only the right is missing.
        """
        ...


class NoProjects:
    """The answer of an installation without projects."""

    def visible_ids(self, user: User) -> QuerySet[Any, Any]:  # noqa: ARG002  (the protocol's)
        """Return no ids."""
        return User.objects.none().values_list("pk", flat=True)

    def role_in(self, user: User, project_id: UUID) -> None:
        """Return None: everybody is a stranger."""

    def find(self, user: User, reference: str, right: Right) -> NoReturn:  # noqa: ARG002
        """Raise NotFound."""
        raise NotFound(f"There is no project {reference[:100]!r}.", field="project")


_registered: list[ProjectAccess] = [NoProjects()]


def register_project_access(access: ProjectAccess) -> None:
    """Say who knows about projects; the last one counts."""
    _registered[:] = [access]


def project_access() -> ProjectAccess:
    """Return who knows about projects."""
    return _registered[0]
