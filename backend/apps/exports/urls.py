"""The paths of exports, below /api/v1/."""

from __future__ import annotations

from django.urls import path

from backend.apps.exports.api_downloads import DownloadViewSet, SignedDownloadView

urlpatterns = [
    path("exports/<uuid:export_id>/download/", DownloadViewSet.as_view({"get": "retrieve"}), name="export-download"),
    path("exports/<uuid:export_id>/link/", DownloadViewSet.as_view({"post": "link"}), name="export-link"),
    path("downloads/", SignedDownloadView.as_view(), name="signed-download"),
]
