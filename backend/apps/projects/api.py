"""Projects, stories and sprints over REST. Views translate; `services.planning` changes, the selectors read."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from backend.api.views import ApiViewSet
from backend.apps.authentication.requests import user_of
from backend.apps.projects import planning_selectors, selectors
from backend.apps.projects.serializers import (
    ProjectSerializer,
    SprintFilters,
    SprintSerializer,
    StoryFilters,
    StorySerializer,
)
from backend.apps.projects.services import planning


class PlanningViewSet(ApiViewSet):
    """What the views of this module share: validating a body, and answering with one thing or a page of them."""

    def validated(self, request: Request, *, project_id: UUID | None = None, partial: bool = False) -> dict[str, Any]:
        """Return the body's values. Raises ValidationError with every field that is wrong."""
        kind = self.get_serializer_class()
        context = {**self.get_serializer_context(), "project_id": project_id}
        serializer: BaseSerializer[Any] = kind(data=request.data, partial=partial, context=context)
        serializer.is_valid(raise_exception=True)
        values: dict[str, Any] = serializer.validated_data
        return values

    def page(self, things: QuerySet[Any]) -> Response:
        """Answer with a page of things."""
        found = self.paginate_queryset(things)
        return self.get_paginated_response(self.get_serializer(found, many=True).data)

    def one(self, thing: Any) -> Response:  # noqa: ANN401  (a model's row)
        """Answer with one thing."""
        return Response(self.get_serializer(thing).data)

    def created(self, thing: Any, *, location: str) -> Response:  # noqa: ANN401  (a model's row)
        """Answer 201 with a new thing and where it is."""
        headers = {"Location": location}
        return Response(self.get_serializer(thing).data, status=status.HTTP_201_CREATED, headers=headers)


@extend_schema_view(
    list=extend_schema(summary="List your projects"),
    create=extend_schema(summary="Create a project", responses={201: ProjectSerializer}),
    retrieve=extend_schema(summary="Get a project"),
    update=extend_schema(summary="Replace a project's fields"),
    partial_update=extend_schema(summary="Change a project"),
)
class ProjectViewSet(PlanningViewSet):
    """Projects that the user owns or is a member of."""

    serializer_class = ProjectSerializer
    lookup_url_kwarg = "project_id"

    def list(self, request: Request) -> Response:
        """List the projects that the user owns or is a member of."""
        return self.page(selectors.visible_projects(user=user_of(request)))

    def create(self, request: Request) -> Response:
        """Create a project that the user owns."""
        project = planning.create_project(user=user_of(request), **self.validated(request))
        return self.created(project, location=reverse("project", args=[project.pk]))

    def retrieve(self, request: Request, project_id: UUID) -> Response:
        """Get one project."""
        return self.one(selectors.get_project(user=user_of(request), project_id=project_id, write=False))

    def update(self, request: Request, project_id: UUID) -> Response:
        """Replace the project's name and, where given, its slug and description."""
        return self._change(request, project_id=project_id, partial=False)

    def partial_update(self, request: Request, project_id: UUID) -> Response:
        """Change the given fields of the project."""
        return self._change(request, project_id=project_id, partial=True)

    def _change(self, request: Request, *, project_id: UUID, partial: bool) -> Response:
        # Rights before values: a stranger learns nothing from the answer to a bad body.
        selectors.get_project(user=user_of(request), project_id=project_id, write=True)
        fields = self.validated(request, partial=partial)
        return self.one(planning.update_project(user=user_of(request), project_id=project_id, **fields))


@extend_schema_view(
    list=extend_schema(summary="List a project's stories", parameters=[StoryFilters]),
    create=extend_schema(summary="Create a story", responses={201: StorySerializer}),
    retrieve=extend_schema(summary="Get a story"),
    partial_update=extend_schema(summary="Change a story"),
    destroy=extend_schema(summary="Delete a story"),
)
class StoryViewSet(PlanningViewSet):
    """Stories: what users of a project want done."""

    serializer_class = StorySerializer
    lookup_url_kwarg = "story_id"

    def list(self, request: Request, project_id: UUID) -> Response:
        """List a project's stories, newest first."""
        filters = _filters(StoryFilters, request)
        stories = planning_selectors.stories_of(
            user=user_of(request),
            project_id=project_id,
            status=filters.get("status"),
            sprint_id=filters.get("sprint"),
        )
        return self.page(stories)

    def create(self, request: Request, project_id: UUID) -> Response:
        """Create a story in the project."""
        selectors.get_project(user=user_of(request), project_id=project_id, write=True)
        fields = self.validated(request, project_id=project_id)
        story = planning.create_story(user=user_of(request), project_id=project_id, **fields)
        return self.created(story, location=reverse("story", args=[story.pk]))

    def retrieve(self, request: Request, story_id: UUID) -> Response:
        """Get one story."""
        return self.one(planning_selectors.get_story(user=user_of(request), story_id=story_id, write=False))

    def partial_update(self, request: Request, story_id: UUID) -> Response:
        """Change the given fields of the story."""
        story = planning_selectors.get_story(user=user_of(request), story_id=story_id, write=True)
        fields = self.validated(request, project_id=story.project_id, partial=True)
        return self.one(planning.update_story(user=user_of(request), story_id=story_id, **fields))

    def destroy(self, request: Request, story_id: UUID) -> Response:
        """Delete the story."""
        planning.delete_story(user=user_of(request), story_id=story_id)
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema_view(
    list=extend_schema(summary="List a project's sprints", parameters=[SprintFilters]),
    create=extend_schema(summary="Create a sprint", responses={201: SprintSerializer}),
    retrieve=extend_schema(summary="Get a sprint"),
    partial_update=extend_schema(summary="Change a sprint"),
    destroy=extend_schema(summary="Delete a sprint"),
)
class SprintViewSet(PlanningViewSet):
    """Sprints: stretches of time in which stories are done."""

    serializer_class = SprintSerializer
    lookup_url_kwarg = "sprint_id"

    def list(self, request: Request, project_id: UUID) -> Response:
        """List a project's sprints by their beginning."""
        wanted = _filters(SprintFilters, request).get("status")
        return self.page(planning_selectors.sprints_of(user=user_of(request), project_id=project_id, status=wanted))

    def create(self, request: Request, project_id: UUID) -> Response:
        """Create a sprint in the project."""
        selectors.get_project(user=user_of(request), project_id=project_id, write=True)
        fields = self.validated(request, project_id=project_id)
        sprint = planning.create_sprint(user=user_of(request), project_id=project_id, **fields)
        return self.created(sprint, location=reverse("sprint", args=[sprint.pk]))

    def retrieve(self, request: Request, sprint_id: UUID) -> Response:
        """Get one sprint."""
        return self.one(planning_selectors.get_sprint(user=user_of(request), sprint_id=sprint_id, write=False))

    def partial_update(self, request: Request, sprint_id: UUID) -> Response:
        """Change the given fields of the sprint."""
        sprint = planning_selectors.get_sprint(user=user_of(request), sprint_id=sprint_id, write=True)
        fields = self.validated(request, project_id=sprint.project_id, partial=True)
        return self.one(planning.update_sprint(user=user_of(request), sprint_id=sprint_id, **fields))

    def destroy(self, request: Request, sprint_id: UUID) -> Response:
        """Delete the sprint; its stories stay."""
        planning.delete_sprint(user=user_of(request), sprint_id=sprint_id)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _filters(kind: type[StoryFilters] | type[SprintFilters], request: Request) -> dict[str, Any]:
    serializer = kind(data=request.query_params)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
