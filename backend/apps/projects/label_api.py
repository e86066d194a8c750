"""The labels of a project over REST: words that bulk exports choose projects by."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from backend.api.views import ApiViewSet, StrictFields
from backend.apps.authentication.requests import user_of
from backend.apps.projects.selectors import get_project, labels_of
from backend.apps.projects.services.labels import change_labels

MOST_AT_ONCE = 100


class LabelsSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """The labels that a project has, sorted."""

    labels = serializers.ListField(child=serializers.CharField())


class LabelChange(StrictFields):
    """Labels to give to a project, and labels to take from it."""

    add = serializers.ListField(child=serializers.CharField(max_length=200), required=False, max_length=MOST_AT_ONCE)
    remove = serializers.ListField(child=serializers.CharField(max_length=200), required=False, max_length=MOST_AT_ONCE)


class LabelViewSet(ApiViewSet):
    """The labels of one project."""

    serializer_class = LabelsSerializer

    @extend_schema(summary="List a project's labels")
    def retrieve(self, request: Request, project_id: UUID) -> Response:
        """List the labels that a project has, sorted."""
        return self.one({"labels": labels_of(get_project(user=user_of(request), project_id=project_id))})

    @extend_schema(summary="Change a project's labels", request=LabelChange)
    def partial_update(self, request: Request, project_id: UUID) -> Response:
        """Add labels and take some away; one that is there already, or is not, is no error. All of it, or nothing."""
        project = get_project(user=user_of(request), project_id=project_id, write=True)
        wanted = self.validated(request, LabelChange)
        return self.one({"labels": change_labels(user=user_of(request), project=project, **wanted)})
