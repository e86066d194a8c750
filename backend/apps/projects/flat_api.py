"""The same things at the flat paths of HishamOS, where the project stands in the query or in the body.

Thin: each view finds the project and hands over to the nested one. They are not in the API's description, from which
agents learn what they can do: everything there would be there twice, and the layout of the paths is told by it.
"""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.http.response import HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from backend.api.views import ApiViewSet
from backend.apps.authentication.requests import user_of
from backend.apps.projects import flat_selectors, generation_selectors
from backend.apps.projects.api import SprintViewSet, StoryViewSet
from backend.apps.projects.generation_api import GenerationViewSet, file_bytes, file_detail
from backend.apps.projects.generation_serializers import (
    ContentQuery,
    FileFilters,
    FileSerializer,
    GenerationFilters,
    GenerationRequestSerializer,
)
from backend.apps.projects.serializers import SprintFilters, StoryFilters


class InBody(serializers.Serializer[Any]):
    """The project that a body names."""

    project = serializers.UUIDField()


class FlatStoryFilters(StoryFilters):
    """What all stories can be narrowed to."""

    project = serializers.UUIDField(required=False)


class FlatSprintFilters(SprintFilters):
    """What all sprints can be narrowed to."""

    project = serializers.UUIDField(required=False)


class FlatGenerationFilters(GenerationFilters):
    """What all generations can be narrowed to and sorted by."""

    project = serializers.UUIDField(required=False)


class FlatFileFilters(FileFilters):
    """What all files can be narrowed to."""

    generated_project = serializers.UUIDField(required=False)


class FlatGenerationRequestSerializer(GenerationRequestSerializer):
    """Which workflow is to generate which project."""

    project = serializers.UUIDField()


def project_in(request: Request) -> UUID:
    """Return the project that the body names. Raises ValidationError where it names none."""
    body = InBody(data=request.data if isinstance(request.data, dict) else {})
    body.is_valid(raise_exception=True)
    project: UUID = body.validated_data["project"]
    return project


class FlatStoryViewSet(StoryViewSet):
    """Stories, their project in the query or the body."""

    schema = None

    def list(self, request: Request, project_id: UUID | None = None) -> Response:  # noqa: ARG002
        """List the stories of all projects that the user may see, or of one."""
        return self.page(flat_selectors.all_stories(user=user_of(request), **self.filters(request, FlatStoryFilters)))

    def create(self, request: Request, project_id: UUID | None = None) -> Response:  # noqa: ARG002
        """Create a story in the project that the body names."""
        return super().create(request, project_id=project_in(request))


class FlatSprintViewSet(SprintViewSet):
    """Sprints, their project in the query or the body."""

    schema = None

    def list(self, request: Request, project_id: UUID | None = None) -> Response:  # noqa: ARG002
        """List the sprints of all projects that the user may see, or of one."""
        return self.page(flat_selectors.all_sprints(user=user_of(request), **self.filters(request, FlatSprintFilters)))

    def create(self, request: Request, project_id: UUID | None = None) -> Response:  # noqa: ARG002
        """Create a sprint in the project that the body names."""
        return super().create(request, project_id=project_in(request))


class FlatGenerationViewSet(GenerationViewSet):
    """Generations, their project in the query or the body."""

    schema = None
    request_serializer: ClassVar[type[GenerationRequestSerializer]] = FlatGenerationRequestSerializer

    def list(self, request: Request, project_id: UUID | None = None) -> Response:  # noqa: ARG002
        """List the generations of all projects that the user may see, or of one."""
        filters = self.filters(request, FlatGenerationFilters)
        filters["project_id"] = filters.pop("project", None)
        return self.page(generation_selectors.visible_generations(user=user_of(request), **filters))

    def create(self, request: Request, project_id: UUID | None = None) -> Response:  # noqa: ARG002
        """Start a workflow that generates the project that the body names."""
        return super().create(request, project_id=project_in(request))


class FlatFileViewSet(ApiViewSet):
    """Files of generations, the generation in the query."""

    schema = None
    serializer_class = FileSerializer

    def list(self, request: Request) -> Response:
        """List the files of all generations that the user may see, or of one."""
        filters = self.filters(request, FlatFileFilters)
        filters["generation_id"] = filters.pop("generated_project", None)
        return self.page(generation_selectors.visible_files(user=user_of(request), **filters))

    def retrieve(self, request: Request, file_id: UUID) -> Response:
        """Get one file."""
        file = generation_selectors.get_file(user=user_of(request), file_id=file_id)
        return file_detail(file, with_content=self.filters(request, ContentQuery)["content"])

    def raw(self, request: Request, file_id: UUID) -> HttpResponseBase:
        """Get a file's bytes."""
        return file_bytes(request, generation_selectors.get_file(user=user_of(request), file_id=file_id))
