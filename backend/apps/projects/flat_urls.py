"""The flat paths of HishamOS beside the nested ones, below /api/v1/. No project's id looks like one of their words."""

from __future__ import annotations

from django.urls import path

from backend.apps.projects.flat_api import FlatFileViewSet, FlatGenerationViewSet, FlatSprintViewSet, FlatStoryViewSet
from backend.apps.projects.urls import LISTED, SINGLE

GENERATION = "projects/generated-projects/<uuid:generation_id>/"
FILE = "projects/project-files/<uuid:file_id>/"

urlpatterns = [
    path("projects/stories/", FlatStoryViewSet.as_view(LISTED), name="flat-stories"),
    path("projects/stories/<uuid:story_id>/", FlatStoryViewSet.as_view(SINGLE), name="flat-story"),
    path("projects/sprints/", FlatSprintViewSet.as_view(LISTED), name="flat-sprints"),
    path("projects/sprints/<uuid:sprint_id>/", FlatSprintViewSet.as_view(SINGLE), name="flat-sprint"),
    path("projects/generated-projects/", FlatGenerationViewSet.as_view(LISTED), name="flat-generations"),
    path(GENERATION, FlatGenerationViewSet.as_view({"get": "retrieve"}), name="flat-generation"),
    path("projects/project-files/", FlatFileViewSet.as_view({"get": "list"}), name="flat-files"),
    path(FILE, FlatFileViewSet.as_view({"get": "retrieve"}), name="flat-file"),
    path(f"{FILE}content/", FlatFileViewSet.as_view({"get": "raw"}), name="flat-file-content"),
]
