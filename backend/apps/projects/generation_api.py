"""Generations over REST: starting one, and reading them and their files. The views of exports are the exports app's."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.http.response import HttpResponseBase
from django.urls import reverse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from backend.api.file_responses import CONTENT, RANGE_HEADERS, file_response
from backend.api.views import ApiViewSet
from backend.apps.authentication.requests import user_of
from backend.apps.authentication.roles import Right
from backend.apps.projects import generation_selectors, selectors
from backend.apps.projects.generation_serializers import (
    ContentQuery,
    FileDetailSerializer,
    FileFilters,
    FileSerializer,
    GenerationDetailSerializer,
    GenerationFilters,
    GenerationRequestSerializer,
    GenerationSerializer,
    PathQuery,
    StartedGenerationSerializer,
)
from backend.apps.projects.models import GeneratedProject, ProjectFile
from backend.apps.projects.services.generation_start import start_generation
from backend.apps.projects.services.recorded_bytes import open_recorded
from backend.apps.workflows.api.input_names import named_as_sent


@extend_schema_view(
    list=extend_schema(summary="List a project's generations", parameters=[GenerationFilters]),
    retrieve=extend_schema(summary="Get a generation with its files", responses=GenerationDetailSerializer),
)
class GenerationViewSet(ApiViewSet):
    """Generations of a project: each is a commit of its files."""

    queryset = GeneratedProject.objects.none()
    serializer_class = GenerationSerializer
    scopes: ClassVar[dict[str, str]] = {"create": "run"}
    request_serializer: ClassVar[type[GenerationRequestSerializer]] = GenerationRequestSerializer

    def list(self, request: Request, project_id: UUID) -> Response:
        """List a project's generations, newest first."""
        selectors.get_project(user=user_of(request), project_id=project_id, write=False)
        filters = self.filters(request, GenerationFilters)
        return self.page(
            generation_selectors.visible_generations(user=user_of(request), project_id=project_id, **filters)
        )

    def retrieve(self, request: Request, generation_id: UUID, project_id: UUID | None = None) -> Response:
        """Get one generation, with its counts and its files."""
        found = generation_selectors.get_generation(
            user=user_of(request), generation_id=generation_id, project_id=project_id
        )
        return self.one(found, GenerationDetailSerializer)

    @extend_schema(
        summary="Generate the project",
        request=GenerationRequestSerializer,
        responses={202: StartedGenerationSerializer},
    )
    def create(self, request: Request, project_id: UUID) -> Response:
        """Start a workflow that generates the project.

        The answer's id is the generation's: it can be followed at once, and is completed when its files are committed.
        """
        selectors.get_project(user=user_of(request), project_id=project_id, right=Right.RUN)
        asked = self.validated(request, self.request_serializer)
        with named_as_sent():
            generation = start_generation(
                user=user_of(request),
                project_id=project_id,
                workflow_id=asked["workflow_id"],
                inputs=asked["input_data"],
            )
        answer = self.one(generation, StartedGenerationSerializer, code=status.HTTP_202_ACCEPTED)
        answer["Location"] = reverse("generation", args=[project_id, generation.pk])
        return answer


@extend_schema_view(
    list=extend_schema(summary="List a generation's files", parameters=[FileFilters]),
    retrieve=extend_schema(
        summary="Get a file of a generation", parameters=[ContentQuery], responses=FileDetailSerializer
    ),
)
class GeneratedFileViewSet(ApiViewSet):
    """The files of a generation, as they were committed."""

    queryset = ProjectFile.objects.none()
    serializer_class = FileSerializer

    def list(self, request: Request, project_id: UUID, generation_id: UUID) -> Response:
        """List the files of a generation by path, without their previews."""
        generation = self._generation(request, project_id, generation_id)
        return self.page(generation_selectors.recorded_files(generation, **self.filters(request, FileFilters)))

    def retrieve(self, request: Request, project_id: UUID, generation_id: UUID, file_id: UUID) -> Response:
        """Get one file: its size, its SHA-256, its preview and, with `?content=true`, its content."""
        file = self._file(request, project_id, generation_id, file_id)
        return file_detail(file, with_content=self.filters(request, ContentQuery)["content"])

    @extend_schema(summary="Get a file's bytes by its id", responses=CONTENT, parameters=RANGE_HEADERS)
    def raw(self, request: Request, project_id: UUID, generation_id: UUID, file_id: UUID) -> HttpResponseBase:
        """Get the bytes of a file, whole or in ranges; its ETag is its SHA-256."""
        return file_bytes(request, self._file(request, project_id, generation_id, file_id))

    @extend_schema(summary="Get a file's bytes by its path", responses=CONTENT, parameters=[PathQuery, *RANGE_HEADERS])
    def content(self, request: Request, project_id: UUID, generation_id: UUID) -> HttpResponseBase:
        """Get the bytes of the file at a path, whole or in ranges; its ETag is its SHA-256."""
        generation = self._generation(request, project_id, generation_id)
        wanted = self.filters(request, PathQuery)
        return file_bytes(request, generation_selectors.file_at(generation, path=wanted["path"]))

    def _generation(self, request: Request, project_id: UUID, generation_id: UUID) -> GeneratedProject:
        return generation_selectors.get_generation(
            user=user_of(request), generation_id=generation_id, project_id=project_id
        )

    def _file(self, request: Request, project_id: UUID, generation_id: UUID, file_id: UUID) -> ProjectFile:
        self._generation(request, project_id, generation_id)
        return generation_selectors.get_file(user=user_of(request), file_id=file_id, generation_id=generation_id)


def file_detail(file: ProjectFile, *, with_content: bool) -> Response:
    """Answer with one file of a generation."""
    return Response(FileDetailSerializer(file, context={"with_content": with_content}).data)


def file_bytes(request: Request, file: ProjectFile) -> HttpResponseBase:
    """Answer with the bytes of one file of a generation."""
    return file_response(
        request, open_recorded(file), path=file.file_path, size=file.file_size, digest=file.content_hash
    )
