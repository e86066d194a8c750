"""What differs between two generations of a project, or between one and the project's workspace."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from backend.api.download_names import attachment
from backend.api.sending import INERT, NEVER_KEPT
from backend.api.views import ApiViewSet
from backend.apps.authentication.requests import user_of
from backend.apps.projects.file_serializers import DiffQuery, DiffSerializer
from backend.apps.projects.models import Project
from backend.apps.projects.selectors import get_project
from backend.apps.projects.services.history import Comparison, FileChange, compare
from backend.apps.projects.services.workspace_diff import compare_workspace
from backend.errors import InvalidInput

WORKSPACE = "workspace"
PIECE = 64 * 1024


class DiffViewSet(ApiViewSet):
    """Differences between the states of a project."""

    queryset = Project.objects.none()
    serializer_class = DiffSerializer

    @extend_schema(summary="Compare two states of a project", parameters=[DiffQuery])
    def retrieve(self, request: Request, project_id: UUID) -> Response:
        """Name the files that differ.

        Without `old` and `new` the newest generation is compared with the one before it; with `old` alone, that one
        with the one before it. `new=workspace` compares the project's workspace with `old`, or the newest generation.
        """
        project = get_project(user=user_of(request), project_id=project_id, write=False)
        query = self.filters(request, DiffQuery)
        if query.get("new") == WORKSPACE:
            found = compare_workspace(project=project, generation_id=_uuid(query.get("old")))
            old = None if found.generation is None else found.generation.commit
            return _answer(old, WORKSPACE, found.files)
        comparison = compare(project=project, **query)
        return _answer(comparison.old or None, comparison.new, comparison.changes())

    @extend_schema(
        summary="Get the patch between two generations",
        parameters=[DiffQuery],
        responses={(200, "text/x-diff"): OpenApiResponse(OpenApiTypes.STR, description="What `git apply` reads.")},
    )
    def patch_file(self, request: Request, project_id: UUID) -> HttpResponseBase:
        """Get the unified diff between two generations, as `git apply` reads it; binary files are only named."""
        project = get_project(user=user_of(request), project_id=project_id, write=False)
        query = self.filters(request, DiffQuery)
        if WORKSPACE in query.values():
            raise InvalidInput("There is no patch of a workspace.", field="new", hint="Compare it without /patch/.")
        comparison = compare(project=project, **query)
        response = StreamingHttpResponse(_patch(comparison), content_type="text/x-diff; charset=utf-8", headers=INERT)
        response["Cache-Control"] = NEVER_KEPT
        response["Content-Disposition"] = attachment(f"{project.slug}-{comparison.new[:12]}", ending=".patch")
        return response


def _patch(comparison: Comparison) -> Iterator[bytes]:
    if comparison.old == comparison.new:
        return
    with comparison.patch() as patch:
        while piece := patch.read(PIECE):
            yield piece


def _answer(old: str | None, new: str, files: list[FileChange]) -> Response:
    counts = {status: sum(file.status == status for file in files) for status in ("added", "changed", "removed")}
    return Response(DiffSerializer({"old": old, "new": new, "files": files, **counts}).data)


def _uuid(text: str | None) -> UUID | None:
    try:
        return None if text is None else UUID(text)
    except ValueError as error:
        raise InvalidInput("A workspace is compared with a whole generation's id.", field="old") from error
