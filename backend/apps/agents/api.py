"""The audit trail over REST: what agents did. It is read; nothing here changes it."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from backend.api.pagination import CursorPages
from backend.api.views import ApiViewSet
from backend.apps.agents import selectors
from backend.apps.agents.serializers import AgentActionSerializer
from backend.apps.authentication.requests import user_of
from backend.apps.projects.selectors import get_project


@extend_schema_view(list=extend_schema(summary="List what agents did on a project"))
class AgentActionViewSet(ApiViewSet):
    """What agents did on a project."""

    serializer_class = AgentActionSerializer
    pagination_class = CursorPages

    def list(self, request: Request, project_id: UUID) -> Response:
        """List what agents did or were refused on the project, newest first; no content is kept of it."""
        project = get_project(user=user_of(request), project_id=project_id)
        return self.page(selectors.actions_on(user=user_of(request), project=project))
