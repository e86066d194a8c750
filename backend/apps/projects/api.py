"""Projects, stories and sprints over REST. Views translate; `services.planning` changes, the selectors read."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.urls import reverse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from backend.api.views import ApiViewSet
from backend.apps.authentication.requests import user_of
from backend.apps.authentication.roles import Scope
from backend.apps.projects import planning_selectors, selectors
from backend.apps.projects.serializers import (
    ProjectFilters,
    ProjectSerializer,
    SprintFilters,
    SprintSerializer,
    StoryFilters,
    StorySerializer,
)
from backend.apps.projects.services import planning
from backend.apps.projects.services.deletion import delete_project


@extend_schema_view(
    list=extend_schema(summary="List your projects", parameters=[ProjectFilters]),
    create=extend_schema(summary="Create a project", responses={201: ProjectSerializer}),
    retrieve=extend_schema(summary="Get a project"),
    update=extend_schema(summary="Replace a project's fields"),
    partial_update=extend_schema(summary="Change a project"),
    destroy=extend_schema(summary="Delete a project"),
)
class ProjectViewSet(ApiViewSet):
    """Projects that the user owns or is a member of."""

    serializer_class = ProjectSerializer
    lookup_url_kwarg = "project_id"
    scopes: ClassVar[dict[str, Scope]] = {"destroy": Scope.MANAGE}

    def list(self, request: Request) -> Response:
        """List the projects that the user owns or is a member of, by name."""
        wanted = self.filters(request, ProjectFilters)
        return self.page(selectors.find_projects(user=user_of(request), **wanted))

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

    def destroy(self, request: Request, project_id: UUID) -> Response:
        """Delete the project with all that is in it; for the owner, and only while no work on it is unfinished."""
        delete_project(user=user_of(request), project_id=project_id)
        return Response(status=status.HTTP_204_NO_CONTENT)

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
class StoryViewSet(ApiViewSet):
    """Stories: what users of a project want done."""

    serializer_class = StorySerializer
    lookup_url_kwarg = "story_id"

    def list(self, request: Request, project_id: UUID) -> Response:
        """List a project's stories, newest first."""
        filters = self.filters(request, StoryFilters)
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
class SprintViewSet(ApiViewSet):
    """Sprints: stretches of time in which stories are done."""

    serializer_class = SprintSerializer
    lookup_url_kwarg = "sprint_id"

    def list(self, request: Request, project_id: UUID) -> Response:
        """List a project's sprints by their beginning."""
        wanted = self.filters(request, SprintFilters).get("status")
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
