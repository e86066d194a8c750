"""Paths of the `agents` app."""

from django.urls import path

from backend.apps.agents.api import AgentActionViewSet

urlpatterns = [
    path(
        "projects/<uuid:project_id>/agent-actions/", AgentActionViewSet.as_view({"get": "list"}), name="agent-actions"
    ),
]
