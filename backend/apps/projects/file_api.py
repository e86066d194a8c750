"""The files of a project's own workspace over REST: list, read, write, delete. `services.workspace_files` does it."""

from __future__ import annotations

from uuid import UUID

from django.http.response import HttpResponseBase
from django.utils.http import parse_etags
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from backend.api.file_responses import CONTENT, RANGE_HEADERS, file_response
from backend.api.parsers import StrictJSONParser
from backend.api.raw_body import RawParser
from backend.api.views import ApiViewSet
from backend.apps.authentication.requests import user_of
from backend.apps.projects.file_serializers import (
    TextSerializer,
    WorkspaceFileSerializer,
    WorkspaceFilesSerializer,
    WorkspaceFilters,
    WriteQuery,
    WrittenFileSerializer,
)
from backend.apps.projects.generation_serializers import PathQuery
from backend.apps.projects.models import Project
from backend.apps.projects.selectors import get_project
from backend.apps.projects.services import workspace_files
from backend.apps.projects.services.generation_plan import new_plan
from backend.apps.projects.services.limits import Limits
from backend.apps.projects.services.workspace_files import Expected

_MATCH = [
    OpenApiParameter("If-Match", str, OpenApiParameter.HEADER, description="The ETag of what is to be replaced."),
    OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER, description="`*`: only where nothing is there."),
]


class WorkspaceFileViewSet(ApiViewSet):
    """The files of a project's own workspace, which callers work on directly. Generations have theirs."""

    queryset = Project.objects.none()
    serializer_class = WorkspaceFileSerializer
    parser_classes = (StrictJSONParser, RawParser)
    largest_body = Limits().file_bytes

    @extend_schema(
        summary="List a workspace's files",
        responses=WorkspaceFilesSerializer,
        parameters=[WorkspaceFilters],
        filters=False,
    )
    def list(self, request: Request, project_id: UUID) -> Response:
        """List the files of the project's workspace by path. `next` leads to those that come after these."""
        project = get_project(user=user_of(request), project_id=project_id, write=False)
        wanted = self.filters(request, WorkspaceFilters)
        limit = wanted.pop("limit")
        # One more than is shown, to know whether any come after.
        found = workspace_files.list_files(project, limit=limit + 1, **wanted)
        shown = found[:limit]
        more = len(found) > limit
        address = request.build_absolute_uri()
        following = replace_query_param(address, "after", shown[-1].path) if more else None
        return Response({"next": following, "results": WorkspaceFileSerializer(shown, many=True).data})

    @extend_schema(summary="Read a workspace's file", responses=CONTENT, parameters=[PathQuery, *RANGE_HEADERS])
    def retrieve(self, request: Request, project_id: UUID) -> HttpResponseBase:
        """Get the bytes of a file, whole or in ranges; its ETag is its SHA-256."""
        project = get_project(user=user_of(request), project_id=project_id, write=False)
        path = self.filters(request, PathQuery)["path"]
        file = workspace_files.open_file(project, path=path)
        return file_response(request, file.stream, path=path, size=file.size, digest=file.digest)

    @extend_schema(
        summary="Write a workspace's file",
        request={"application/json": TextSerializer, "application/octet-stream": OpenApiTypes.BINARY},
        responses={200: WrittenFileSerializer, 201: WrittenFileSerializer},
        parameters=[WriteQuery, *_MATCH],
    )
    def update(self, request: Request, project_id: UUID) -> Response:
        """Write a file: the body is its content, or with the type application/json says what the content is.

        To write a file that is JSON itself, send it as application/octet-stream. With If-Match it is written only over
        what you have read.
        """
        get_project(user=user_of(request), project_id=project_id, write=True)
        query = self.filters(request, WriteQuery)
        data, executable = self._content(request, path=query["path"])
        written = workspace_files.write_file(
            user=user_of(request),
            project_id=project_id,
            path=query["path"],
            data=data,
            executable=query["executable"] if executable is None else executable,
            expected=_expected(request),
        )
        code = status.HTTP_201_CREATED if written.created else status.HTTP_200_OK
        answer = self.one(written, WrittenFileSerializer, code=code)
        answer["ETag"] = f'"{written.digest}"'
        return answer

    @extend_schema(summary="Delete a workspace's file", parameters=[PathQuery, *_MATCH[:1]], responses={204: None})
    def destroy(self, request: Request, project_id: UUID) -> Response:
        """Delete a file; its directory stays. With If-Match only what you have read is deleted."""
        get_project(user=user_of(request), project_id=project_id, write=True)
        path = self.filters(request, PathQuery)["path"]
        workspace_files.delete_file(
            user=user_of(request), project_id=project_id, path=path, expected=_expected(request)
        )
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _content(self, request: Request, *, path: str) -> tuple[bytes, bool | None]:
        """Return the bytes that the body stands for, and whether the file can be executed where it says so."""
        if not (request.content_type or "").lower().startswith("application/json"):
            # An empty body is none to REST framework, and an empty file here.
            return (request.data if isinstance(request.data, bytes) else b""), None
        said = self.validated(request, TextSerializer)
        plan = new_plan(limits=Limits())
        plan.add_text(path, said["content"], encoding=said["encoding"])
        return plan.finish().files[0].data, said["executable"]


def _expected(request: Request) -> Expected:
    match = request.headers.get("If-Match")
    # A weak tag matches nothing here: bytes are the same, or they are not.
    digests = None if match is None else frozenset(tag.strip('"') for tag in parse_etags(match))
    absent = "*" in parse_etags(request.headers.get("If-None-Match", ""))
    return Expected(digests=digests, absent=absent)
