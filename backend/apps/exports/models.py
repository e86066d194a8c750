"""Deliveries of generations."""

from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models

from backend.apps.exports.bulk_models import BulkExport, BulkExportItem, LastDelivery
from backend.apps.exports.schedule_models import ExportSchedule, ScheduleRun

__all__ = ["BulkExport", "BulkExportItem", "ExportSchedule", "LastDelivery", "RepositoryExport", "ScheduleRun"]


class RepositoryExport(models.Model):
    """One delivery of a generation: an archive, or a repository on a host.

    pending ──> exporting ──> completed
                    ├──> failed ──> exporting (tried again)
    """

    class Status(models.TextChoices):
        """Where the delivery stands."""

        PENDING = "pending"
        EXPORTING = "exporting"
        COMPLETED = "completed"
        FAILED = "failed"

    class ExportType(models.TextChoices):
        """What is delivered, or where to."""

        ZIP = "zip"
        TAR = "tar"
        TAR_GZ = "tar.gz"
        GITHUB = "github"
        GITLAB = "gitlab"
        GIT = "git"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    key = models.CharField(max_length=200, unique=True)
    """The TaskExecution's key: a repeated attempt finds the same row."""
    generated_project = models.ForeignKey(
        "projects.GeneratedProject", on_delete=models.CASCADE, related_name="repository_exports"
    )
    export_type = models.CharField(max_length=10, choices=ExportType.choices)
    repository_name = models.CharField(max_length=200, blank=True)
    repository_url = models.CharField(max_length=1000, blank=True)
    archive_path = models.CharField(max_length=1000, blank=True)
    archive_size = models.PositiveBigIntegerField(null=True, blank=True)
    commit = models.CharField(max_length=64, blank=True)
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.PENDING)
    error_message = models.TextField(blank=True)
    config = models.JSONField(default=dict, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "id"]
