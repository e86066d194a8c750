"""Exports at the flat paths of HishamOS, the generation in the body. Thin, and not in the API's description."""

from __future__ import annotations

from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from backend.apps.authentication.requests import user_of
from backend.apps.exports.api import ExportViewSet, accepted
from backend.apps.exports.api_downloads import DownloadViewSet
from backend.apps.exports.request_serializers import FlatExportRequestSerializer
from backend.apps.exports.services.requesting import request_export


class FlatExportViewSet(ExportViewSet):
    """Deliveries of generations."""

    schema = None
    scopes: ClassVar[dict[str, str]] = {"create": "run"}

    def create(self, request: Request) -> Response:
        """Ask for an export of the generation that the body names."""
        asked = self.validated(request, FlatExportRequestSerializer)
        export = request_export(
            user=user_of(request),
            generation_id=asked["generated_project"],
            export_type=asked["export_type"],
            repository_name=asked["repository_name"],
            options=asked["config"],
        )
        return accepted(export)


class FlatDownloadViewSet(DownloadViewSet):
    """The archive of an export."""

    schema = None
