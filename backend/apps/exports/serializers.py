"""What exports look like in the API. Which values it takes is in `serializers_requests`. Nothing is saved from here."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from backend.api.views import StrictFields
from backend.apps.exports.models import RepositoryExport
from backend.apps.exports.services.downloads import MEDIA_TYPES
from backend.apps.exports.services.links import LONGEST_SECONDS, SECONDS


class ExportSerializer(serializers.ModelSerializer[RepositoryExport]):
    """One delivery of a generation: an archive, or a repository on a host."""

    generated_project = serializers.UUIDField(source="generated_project_id", read_only=True)
    project = serializers.UUIDField(source="generated_project.project_id", read_only=True)
    created_by = serializers.UUIDField(source="created_by_id", read_only=True)
    archive_path = serializers.SerializerMethodField(help_text="The archive's name; where it lies is not told.")
    config = serializers.SerializerMethodField(help_text="What was asked for. A token is never part of it.")
    download_url = serializers.SerializerMethodField(help_text="Where the archive is, once there is one.")

    class Meta:
        model = RepositoryExport
        fields = (
            "id",
            "generated_project",
            "project",
            "export_type",
            "repository_name",
            "repository_url",
            "archive_path",
            "archive_size",
            "commit",
            "status",
            "error_message",
            "config",
            "download_url",
            "created_by",
            "created_at",
            "updated_at",
            "completed_at",
        )
        read_only_fields = fields

    def get_archive_path(self, export: RepositoryExport) -> str:
        """Return the archive's file name, empty where there is none."""
        return PurePosixPath(export.archive_path).name

    def get_config(self, export: RepositoryExport) -> dict[str, Any]:
        """Return what was asked for."""
        asked: dict[str, Any] = export.config.get("asked", export.config.get("request", {}))
        return asked

    @extend_schema_field({"type": "string", "nullable": True})
    def get_download_url(self, export: RepositoryExport) -> str | None:
        """Return the path of the download, None where there is nothing to download."""
        ready = export.status == RepositoryExport.Status.COMPLETED and export.export_type in MEDIA_TYPES
        return reverse("export-download", args=[export.pk]) if ready else None


class LinkWishSerializer(StrictFields):
    """How long a link is to work."""

    seconds = serializers.IntegerField(min_value=1, max_value=LONGEST_SECONDS, default=SECONDS)


class LinkSerializer(serializers.Serializer[Any]):
    """A link that works without a token."""

    url = serializers.URLField(read_only=True)
    expires_at = serializers.DateTimeField(read_only=True)
