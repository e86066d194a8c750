"""The flat paths of HishamOS for exports, below /api/v1/."""

from __future__ import annotations

from django.urls import path

from backend.apps.exports.flat_api import FlatDownloadViewSet, FlatExportViewSet

EXPORT = "projects/repository-exports/<uuid:export_id>/"

urlpatterns = [
    path(
        "projects/repository-exports/",
        FlatExportViewSet.as_view({"get": "list", "post": "create"}),
        name="flat-exports",
    ),
    path(EXPORT, FlatExportViewSet.as_view({"get": "retrieve"}), name="flat-export"),
    path(f"{EXPORT}download/", FlatDownloadViewSet.as_view({"get": "retrieve"}), name="flat-export-download"),
]
