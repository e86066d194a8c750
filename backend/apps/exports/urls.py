"""The paths of exports, below /api/v1/."""

from __future__ import annotations

from django.urls import path

from backend.apps.exports.api import ExportViewSet, GenerationExportViewSet
from backend.apps.exports.api_downloads import DownloadViewSet, SignedDownloadView

GENERATION = "projects/<uuid:project_id>/generated/<uuid:generation_id>/"
ASKED = {"export/": "create", "export-to-github/": "to_github", "export-to-gitlab/": "to_gitlab"}

urlpatterns = [
    path(f"{GENERATION}exports/", GenerationExportViewSet.as_view({"get": "list"}), name="generation-exports"),
    *(
        path(f"{GENERATION}{where}", GenerationExportViewSet.as_view({"post": action}), name=f"request-{where[:-1]}")
        for where, action in ASKED.items()
    ),
    path("exports/", ExportViewSet.as_view({"get": "list"}), name="exports"),
    path("exports/<uuid:export_id>/", ExportViewSet.as_view({"get": "retrieve"}), name="export"),
    path("exports/<uuid:export_id>/download/", DownloadViewSet.as_view({"get": "retrieve"}), name="export-download"),
    path("exports/<uuid:export_id>/link/", DownloadViewSet.as_view({"post": "link"}), name="export-link"),
    path("downloads/", SignedDownloadView.as_view(), name="signed-download"),
]
