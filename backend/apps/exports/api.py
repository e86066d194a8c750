"""Exports over REST: asking for one, and following it. Views translate; `services.requesting` takes it in."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.urls import reverse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from backend.api.views import ApiViewSet
from backend.apps.authentication.requests import user_of
from backend.apps.authentication.roles import Right
from backend.apps.exports import selectors
from backend.apps.exports.models import RepositoryExport
from backend.apps.exports.request_serializers import (
    AllExportFilters,
    ExportFilters,
    ExportRequestSerializer,
    GitHubRequestSerializer,
    GitLabRequestSerializer,
)
from backend.apps.exports.serializers import ExportSerializer
from backend.apps.exports.services.requesting import request_export
from backend.apps.projects.generation_selectors import get_generation

_ACCEPTED = {202: ExportSerializer}


@extend_schema_view(
    list=extend_schema(summary="List exports", parameters=[AllExportFilters]),
    retrieve=extend_schema(summary="Get an export"),
)
class ExportViewSet(ApiViewSet):
    """Deliveries of generations: archives, and repositories on hosts."""

    queryset = RepositoryExport.objects.none()
    serializer_class = ExportSerializer

    def list(self, request: Request) -> Response:
        """List the exports of all projects that the user may see, newest first."""
        return self.page(selectors.filtered_exports(user=user_of(request), **self.filters(request, AllExportFilters)))

    def retrieve(self, request: Request, export_id: UUID) -> Response:
        """Get one export: where it stands, and what became of it."""
        return self.one(selectors.get_export(user=user_of(request), export_id=export_id))


@extend_schema_view(list=extend_schema(summary="List a generation's exports", parameters=[ExportFilters]))
class GenerationExportViewSet(ApiViewSet):
    """The deliveries of one generation."""

    queryset = RepositoryExport.objects.none()
    serializer_class = ExportSerializer
    scopes: ClassVar[dict[str, str]] = dict.fromkeys(("create", "to_github", "to_gitlab"), "run")

    def list(self, request: Request, project_id: UUID, generation_id: UUID) -> Response:
        """List the exports of a generation, newest first."""
        user = user_of(request)
        get_generation(user=user, generation_id=generation_id, project_id=project_id)
        filters = self.filters(request, ExportFilters)
        return self.page(selectors.filtered_exports(user=user, generated_project=generation_id, **filters))

    @extend_schema(summary="Export a generation", request=ExportRequestSerializer, responses=_ACCEPTED)
    def create(self, request: Request, project_id: UUID, generation_id: UUID) -> Response:
        """Ask for an archive, or for a repository on a host.

        The export is done in the background; follow it by its id. Only a completed generation can be exported.
        """
        self._require(request, project_id, generation_id)
        asked = self.validated(request, ExportRequestSerializer)
        return self._request(
            request,
            project_id,
            generation_id,
            export_type=asked["export_type"],
            repository_name=asked["repository_name"],
            options=asked["config"],
        )

    @extend_schema(summary="Export a generation to GitHub", request=GitHubRequestSerializer, responses=_ACCEPTED)
    def to_github(self, request: Request, project_id: UUID, generation_id: UUID) -> Response:
        """Push a generation to a repository on GitHub, which is made when it is missing."""
        self._require(request, project_id, generation_id)
        asked = self.validated(request, GitHubRequestSerializer)
        name = asked.pop("repository_name")
        return self._request(
            request, project_id, generation_id, export_type="github", repository_name=name, options=asked
        )

    @extend_schema(summary="Export a generation to GitLab", request=GitLabRequestSerializer, responses=_ACCEPTED)
    def to_gitlab(self, request: Request, project_id: UUID, generation_id: UUID) -> Response:
        """Push a generation to a project on GitLab, which is made when it is missing."""
        self._require(request, project_id, generation_id)
        asked = self.validated(request, GitLabRequestSerializer)
        name = asked.pop("project_name")
        return self._request(
            request, project_id, generation_id, export_type="gitlab", repository_name=name, options=asked
        )

    def _require(self, request: Request, project_id: UUID, generation_id: UUID) -> None:
        # Rights before values: a stranger learns nothing from the answer to a bad body.
        get_generation(user=user_of(request), generation_id=generation_id, project_id=project_id, right=Right.RUN)

    def _request(
        self,
        request: Request,
        project_id: UUID,
        generation_id: UUID,
        **wish: Any,  # noqa: ANN401  (what `request_export` takes)
    ) -> Response:
        export = request_export(user=user_of(request), generation_id=generation_id, project_id=project_id, **wish)
        return accepted(export)


def accepted(export: RepositoryExport) -> Response:
    """Answer 202 with an export that is going to be done, and where it can be followed."""
    headers = {"Location": reverse("export", args=[export.pk])}
    return Response(ExportSerializer(export).data, status=status.HTTP_202_ACCEPTED, headers=headers)
