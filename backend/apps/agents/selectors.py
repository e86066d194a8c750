"""Who may see what agents did. It reads; it changes nothing."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from backend.apps.agents.models import AgentAction
from backend.apps.authentication.models import User
from backend.apps.authentication.roles import is_operator
from backend.apps.projects.models import Project
from backend.apps.projects.selectors import visible_projects


def visible_actions(*, user: User) -> QuerySet[AgentAction]:
    """Return what was done on the projects that the user may see, and what was done in their name; newest first.

    Operators see all, inactive users nothing; a token for one project alone sees that project's.
    """
    rows = AgentAction.objects.select_related("user")
    if not user.is_active:
        return rows.none()
    on_projects = Q(project_id__in=visible_projects(user=user).order_by().values("pk"))
    if user.grant is not None and user.grant.project_id is not None:
        return rows.filter(on_projects)
    return rows if is_operator(user) else rows.filter(on_projects | Q(user=user))


def actions_on(*, user: User, project: Project) -> QuerySet[AgentAction]:
    """Return what agents did on one project, newest first; the caller has checked that the user may see it."""
    return visible_actions(user=user).filter(project_id=project.pk)
