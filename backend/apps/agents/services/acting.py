"""What an agent does passes through here: one check of what its user may do, and one row in the audit trail.

The row is written before anything is done and ended afterwards, so that also what was cut off has left a trace. Rights
are asked for each action anew, as they are then.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils import timezone

from backend.apps.agents.models import AgentAction
from backend.apps.authentication.models import User
from backend.apps.authentication.roles import SCOPE_FOR, Right, granted
from backend.apps.projects.models import Project
from backend.apps.projects.selectors import project_by_slug_or_id
from backend.errors import InvalidInput, PermissionRefused, RepomillError

Status = AgentAction.Status
Via = AgentAction.Via
MOST_NAMED = 50
"""Names that one row lists; of more it says how many there were."""


@dataclass(frozen=True)
class Acting:
    """One agent: in whose name it acts, through which door, and on which project (id or slug) unless told otherwise."""

    user: User
    via: Via = Via.PYTHON
    project: UUID | str | None = None

    @contextmanager
    def on_project(self, action: str, right: Right, **about: Any) -> Iterator[Project]:  # noqa: ANN401  (JSON)
        """Do something on the project: give it where the user has the right.

        about: on what, by names and numbers. Raises InvalidInput without a project, NotFound for one that the user may
        not see, PermissionRefused for one in which the right is missing; all are recorded.
        """
        with self._recorded(action, about) as row:
            if self.project is None:
                raise InvalidInput("Say on which project.", field="project", expected="the project's id or slug")
            project = project_by_slug_or_id(user=self.user, reference=self.project, right=right)
            self._name(row, project.pk, project.slug)
            yield project

    @contextmanager
    def anywhere(self, action: str, right: Right, **about: Any) -> Iterator[AgentAction]:  # noqa: ANN401  (JSON)
        """Do something that is not on a project, or that finds its project by another object's id.

        Raises PermissionRefused where the user is deactivated, or the token is not good for it.
        """
        with self._recorded(action, about) as row:
            if not self.user.is_active:
                raise PermissionRefused("The user is deactivated.", field="user")
            if not granted(self.user, right):
                raise PermissionRefused(
                    f"The token does not have the scope '{SCOPE_FOR[right]}'.",
                    hint="Make a token that has it; a token's scopes never change.",
                )
            yield row

    def belongs_to(self, row: AgentAction, project_id: UUID | None, name: str) -> None:
        """Say on which project an action was, once it is known."""
        if project_id is not None:
            self._name(row, project_id, name)

    @contextmanager
    def _recorded(self, action: str, about: dict[str, Any]) -> Iterator[AgentAction]:
        said = "" if self.project is None else str(self.project)[:100].replace("\0", "")
        row = AgentAction.objects.create(
            user_id=self.user.pk, via=self.via, action=action, project_name=said, about=_brief(about)
        )
        try:
            yield row
        except RepomillError as error:
            _end(row, Status.REFUSED, error.code)
            raise
        except BaseException as error:
            _end(row, Status.FAILED, type(error).__name__[:50])
            raise
        _end(row, Status.DONE, "")

    @staticmethod
    def _name(row: AgentAction, project_id: UUID, name: str) -> None:
        row.project_id, row.project_name = project_id, name[:100]
        row.save(update_fields=["project_id", "project_name"])


def _end(row: AgentAction, status: Status, code: str) -> None:
    open_row = AgentAction.objects.filter(pk=row.pk, status=Status.BEGUN)
    open_row.update(status=status, error_code=code, completed_at=timezone.now())


def _brief(about: dict[str, Any]) -> dict[str, Any]:
    """Return names and numbers as they can be stored: short, few, and without what PostgreSQL cannot keep."""
    return {name: _told(value) for name, value in about.items() if value is not None}


def _told(value: Any) -> Any:  # noqa: ANN401  (JSON)
    if isinstance(value, bool | int):
        return value
    if isinstance(value, list | tuple):
        named = [_told(each) for each in value[:MOST_NAMED]]
        return named if len(value) <= MOST_NAMED else [*named, f"... {len(value)} in all"]
    return str(value)[:300].encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
