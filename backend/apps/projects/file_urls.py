"""The paths of a project's own workspace and of differences, below /api/v1/."""

from __future__ import annotations

from typing import Any

from django.urls import path

from backend.apps.projects.archive_api import WorkspaceArchiveViewSet
from backend.apps.projects.diff_api import DiffViewSet
from backend.apps.projects.file_api import WorkspaceFileViewSet

PROJECT = "projects/<uuid:project_id>/"
CONTENT: dict[str, Any] = {"get": "retrieve", "put": "update", "delete": "destroy"}

urlpatterns = [
    path(f"{PROJECT}files/", WorkspaceFileViewSet.as_view({"get": "list"}), name="workspace-files"),
    path(f"{PROJECT}files/content/", WorkspaceFileViewSet.as_view(CONTENT), name="workspace-file"),
    path(f"{PROJECT}files/archive/", WorkspaceArchiveViewSet.as_view({"post": "create"}), name="workspace-archive"),
    path(f"{PROJECT}diff/", DiffViewSet.as_view({"get": "retrieve"}), name="diff"),
    path(f"{PROJECT}diff/patch/", DiffViewSet.as_view({"get": "patch_file"}), name="diff-patch"),
]
