"""Bulk exports and maintenance that are started by the clock, and each time that they were due."""

from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models


class ExportSchedule(models.Model):
    """What is started, when, and what happens when something stands in its way.

    `next_due_at` is the one truth about what comes next: whoever moves it on with a conditional UPDATE starts what was
    due, and nobody else does.
    """

    class Work(models.TextChoices):
        """What is started."""

        BULK_EXPORT = "bulk_export"
        ARCHIVE_GENERATIONS = "archive_generations"

    class Overlap(models.TextChoices):
        """What happens when it is due and the last one still runs."""

        SKIP = "skip"
        QUEUE = "queue"
        REPLACE = "replace"

    class CatchUp(models.TextChoices):
        """What is made good after a time in which nothing could start."""

        NONE = "none"
        ONE = "one"
        ALL = "all"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.CharField(max_length=100, unique=True)
    work = models.CharField(max_length=30, choices=Work.choices, default=Work.BULK_EXPORT)
    cron = models.CharField(max_length=100, blank=True)
    interval_seconds = models.PositiveIntegerField(null=True, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    enabled = models.BooleanField(default=True)
    """Whether it starts anything by itself; a schedule that is not enabled is paused."""
    export = models.JSONField(default=dict, blank=True)
    """What its bulk exports are to be: selection, export_type, destination, skip_unchanged, window."""
    overlap = models.CharField(max_length=10, choices=Overlap.choices, default=Overlap.SKIP)
    catch_up = models.CharField(max_length=10, choices=CatchUp.choices, default=CatchUp.ONE)
    catch_up_seconds = models.PositiveIntegerField(default=86_400)
    """How far back missed times are made good, in seconds."""
    keep_last = models.PositiveIntegerField(null=True, blank=True)
    """How many archives of each project are kept; the last one always is."""
    keep_days = models.PositiveIntegerField(null=True, blank=True)
    """How many days an archive is kept at least; for `archive_generations` how old a generation becomes."""
    notify_url = models.CharField(max_length=1000, blank=True)
    """Who is told when one of its runs has failed; what is sent is signed, see `services.notifying`."""
    notify_email = models.JSONField(default=list, blank=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    """On whose behalf it exports; none for what the product brings along."""
    next_due_at = models.DateTimeField(null=True, blank=True, db_index=True)
    last_due_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ScheduleRun(models.Model):
    """One time that a schedule was due, or was started by hand, and what came of it.

    queued ──> running ──> completed
       │          ├──> failed
       │          └──> cancelled
       ├──> skipped     (the last one still ran, or it was missed)
       └──> failed      (it could not be started)
    """

    class Status(models.TextChoices):
        """Where it stands."""

        QUEUED = "queued"
        RUNNING = "running"
        COMPLETED = "completed"
        FAILED = "failed"
        CANCELLED = "cancelled"
        SKIPPED = "skipped"

    id = models.BigAutoField(primary_key=True)
    schedule = models.ForeignKey(ExportSchedule, on_delete=models.CASCADE, related_name="runs")
    due_at = models.DateTimeField()
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.QUEUED)
    by_hand = models.BooleanField(default=False)
    reason = models.CharField(max_length=300, blank=True)
    bulk_export = models.OneToOneField(
        "exports.BulkExport", on_delete=models.SET_NULL, null=True, blank=True, related_name="schedule_run"
    )
    result = models.JSONField(null=True, blank=True)
    error = models.JSONField(null=True, blank=True)
    notified_url_at = models.DateTimeField(null=True, blank=True)
    notified_email_at = models.DateTimeField(null=True, blank=True)
    """When each of the two ways of telling had got through: neither is taken again for the other's sake."""
    notified_at = models.DateTimeField(null=True, blank=True)
    notify_failures = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-due_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["schedule", "due_at"], name="one_run_per_due_time"),
            models.UniqueConstraint(
                fields=["schedule"], condition=models.Q(status="running"), name="one_run_at_a_time"
            ),
        ]
        indexes = [
            models.Index(fields=["status"], name="run_open", condition=models.Q(status__in=["queued", "running"]))
        ]
