"""The paths of projects, stories and sprints, below /api/v1/."""

from __future__ import annotations

from typing import Any

from django.urls import path

from backend.apps.projects.api import ProjectViewSet, SprintViewSet, StoryViewSet
from backend.apps.projects.label_api import LabelViewSet
from backend.apps.projects.membership_api import MemberViewSet, TransferViewSet
from backend.apps.projects.organisation_api import OrganisationMemberViewSet, OrganisationViewSet, UsageViewSet

LISTED: dict[str, Any] = {"get": "list", "post": "create"}
SINGLE: dict[str, Any] = {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}

urlpatterns = [
    path("organisations/", OrganisationViewSet.as_view(LISTED), name="organisations"),
    path("organisations/<uuid:organisation_id>/", OrganisationViewSet.as_view(SINGLE), name="organisation"),
    path(
        "organisations/<uuid:organisation_id>/usage/",
        UsageViewSet.as_view({"get": "retrieve"}),
        name="organisation-usage",
    ),
    path(
        "organisations/<uuid:organisation_id>/members/",
        OrganisationMemberViewSet.as_view(LISTED),
        name="organisation-members",
    ),
    path(
        "organisations/<uuid:organisation_id>/members/<uuid:user_id>/",
        OrganisationMemberViewSet.as_view(SINGLE),
        name="organisation-member",
    ),
    path("projects/", ProjectViewSet.as_view(LISTED), name="projects"),
    path(
        "projects/<uuid:project_id>/",
        ProjectViewSet.as_view({**SINGLE, "put": "update"}),
        name="project",
    ),
    path(
        "projects/<uuid:project_id>/labels/",
        LabelViewSet.as_view({"get": "retrieve", "patch": "partial_update"}),
        name="project-labels",
    ),
    path("projects/<uuid:project_id>/transfer/", TransferViewSet.as_view({"post": "create"}), name="transfer"),
    path("projects/<uuid:project_id>/members/", MemberViewSet.as_view(LISTED), name="members"),
    path("projects/<uuid:project_id>/members/<uuid:user_id>/", MemberViewSet.as_view(SINGLE), name="member"),
    path("projects/<uuid:project_id>/stories/", StoryViewSet.as_view(LISTED), name="stories"),
    path("stories/<uuid:story_id>/", StoryViewSet.as_view(SINGLE), name="story"),
    path("projects/<uuid:project_id>/sprints/", SprintViewSet.as_view(LISTED), name="sprints"),
    path("sprints/<uuid:sprint_id>/", SprintViewSet.as_view(SINGLE), name="sprint"),
]
