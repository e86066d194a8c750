"""With whom a credential may be shared: asked of whoever knows projects, since this app lies below them.

The projects app registers itself. Without it nothing is shared.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol
from uuid import UUID

from backend.apps.authentication.models import User


class Projects(Protocol):
    """What has to be known of projects here."""

    def of(self, user: User) -> Collection[UUID]:
        """Return the ids of the projects that a user may see."""
        ...

    def require_writable(self, user: User, project_id: UUID) -> None:
        """Raise NotFound or PermissionRefused unless the user may change the project."""
        ...


_registered: list[Projects] = []


def register_projects(projects: Projects) -> None:
    """Say who knows of projects; the last one counts."""
    _registered[:] = [projects]


def projects_of(user: User) -> Collection[UUID]:
    """Return the ids of the projects that a user may see."""
    return _registered[0].of(user) if _registered else ()


def require_writable(user: User, project_id: UUID) -> None:
    """Raise NotFound or PermissionRefused unless the user may share things with the project's members."""
    for projects in _registered:
        projects.require_writable(user, project_id)
