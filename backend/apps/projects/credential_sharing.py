"""Tells the credentials app, which lies below, of a user's projects."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from backend.apps.authentication.models import User
from backend.apps.credentials.sharing import register_projects
from backend.apps.projects.selectors import get_project, visible_projects


class _Projects:
    def of(self, user: User) -> Collection[UUID]:
        return list(visible_projects(user=user).order_by().values_list("pk", flat=True))

    def require_writable(self, user: User, project_id: UUID) -> None:
        get_project(user=user, project_id=project_id, write=True)


register_projects(_Projects())
