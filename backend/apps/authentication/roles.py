"""What each role may do, and what a token may be limited to: the one table, for REST, the console and tasks alike.

Pure: it asks no database. Which role somebody has in a project is read by `backend.apps.projects.selectors`, and
who may see an execution by `backend.apps.workflows.access`.

    viewer < author < maintainer < owner < operator

A viewer reads. An author also changes what is in the project and starts work on it. A maintainer also controls the work
that others have started, and says who is a member. The owner also hands the project over and deletes it. An operator
keeps the installation: they may do everything, in every project.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from backend.apps.authentication.models import User


class Role(StrEnum):
    """A user's place in a project, from the one who may only read to the one who may do everything."""

    VIEWER = "viewer"
    AUTHOR = "author"
    MAINTAINER = "maintainer"
    OWNER = "owner"
    OPERATOR = "operator"


class Right(StrEnum):
    """Something that can be done with a project."""

    SEE = "see"
    """Read everything of it, and download its archives."""
    WRITE = "write"
    """Change its name, stories, sprints and files."""
    RUN = "run"
    """Start executions, generations and exports, and control one's own."""
    CONTROL = "control"
    """Pause, resume, cancel, retry and settle what others have started."""
    MANAGE = "manage"
    """Add and remove members, and change their roles."""
    OWN = "own"
    """Hand it over, and delete it."""


class Scope(StrEnum):
    """What a service token is good for. Every scope includes reading."""

    READ = "read"
    WRITE = "write"
    RUN = "run"
    MANAGE = "manage"


_VIEWER = frozenset({Right.SEE})
_AUTHOR = _VIEWER | {Right.WRITE, Right.RUN}
_MAINTAINER = _AUTHOR | {Right.CONTROL, Right.MANAGE}
_OWNER = _MAINTAINER | {Right.OWN}

RIGHTS: dict[Role, frozenset[Right]] = {
    Role.VIEWER: _VIEWER,
    Role.AUTHOR: _AUTHOR,
    Role.MAINTAINER: _MAINTAINER,
    Role.OWNER: _OWNER,
    Role.OPERATOR: _OWNER,
}

# The scope that a token must have, beside its user's right.
SCOPE_FOR: dict[Right, Scope] = {
    Right.SEE: Scope.READ,
    Right.WRITE: Scope.WRITE,
    Right.RUN: Scope.RUN,
    Right.CONTROL: Scope.RUN,
    Right.MANAGE: Scope.MANAGE,
    Right.OWN: Scope.MANAGE,
}


@dataclass(frozen=True)
class Grant:
    """What a service token lets its bearer do in its user's name.

    project_id: the only project, or None for all. token_id: the token, so that what it started ends with it.
    """

    scopes: frozenset[Scope]
    project_id: UUID | None = None
    # Two tokens that are good for the same are the same to whoever asks for rights.
    token_id: UUID | None = field(default=None, compare=False)

    def allows(self, scope: Scope) -> bool:
        """Return whether the token is good for this."""
        return scope == Scope.READ or scope in self.scopes

    def within_run(self, project_id: UUID) -> Grant:
        """Return what work that the token started may do by itself in the project that it is on.

        Who may start work there has it write there, and there alone: a generation that could not write would be none.
        """
        return replace(self.of_work(), project_id=self.project_id or project_id)

    def of_work(self) -> Grant:
        """Return the same with the writing that goes with starting work.

        For whoever looks at several pieces of work at once, and asks about the projects that these are on alone.
        """
        writing = {Scope.WRITE} if Scope.RUN in self.scopes else set()
        return replace(self, scopes=self.scopes | writing)


def may(role: Role | None, right: Right) -> bool:
    """Return whether a role includes a right; nobody's role includes none."""
    return role is not None and right in RIGHTS[role]


def lowest_role_with(right: Right) -> Role:
    """Return the role to ask for."""
    return next(role for role in Role if right in RIGHTS[role])


def is_operator(user: User) -> bool:
    """Return whether the user keeps the installation: an active superuser.

    Django's staff are not: they may open the admin pages that they have been given, and nothing here.
    """
    return user.is_active and user.is_superuser


def granted(user: User, right: Right) -> bool:
    """Return whether the token that the user acts with, if any, is good for a right."""
    return user.grant is None or user.grant.allows(SCOPE_FOR[right])
