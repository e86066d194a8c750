"""Many deliveries that were started together, what becomes of each, and what a destination has by now."""

from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models


class BulkExport(models.Model):
    """Many RepositoryExports to one destination.

    pending ──> running ──> completed
       │           ├──> failed ──> running (its failed items are tried again)
       ├───────────┴──> cancelled
       └──> failed      (it could not be planned)

    While it is pending its items are being planned, and none starts. Two marks refine `running`, as in a
    WorkflowExecution: while `paused_at` is set nothing starts, and `cancel_requested_at` says that it will be cancelled
    as soon as nothing runs any more.
    """

    class Status(models.TextChoices):
        """Where the bulk export stands."""

        PENDING = "pending"
        RUNNING = "running"
        COMPLETED = "completed"
        FAILED = "failed"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    key = models.CharField(max_length=200, unique=True)
    """Names it for ever: two who start the same thing (a schedule's due time, say) start it once."""
    name = models.CharField(max_length=200, blank=True)
    selection = models.JSONField()
    """Which projects: see `backend.apps.exports.selection`."""
    export_type = models.CharField(max_length=10)
    destination = models.JSONField(default=dict)
    """Where to: see `backend.apps.exports.destination`. It names a credential and never holds one."""
    destination_key = models.CharField(max_length=64)
    skip_unchanged = models.BooleanField(default=True)
    window = models.PositiveSmallIntegerField(default=32)
    """How many of its items are in flight at most; the rest wait in the database and not in the broker."""
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.PENDING)
    error = models.JSONField(null=True, blank=True)
    planned_through = models.UUIDField(null=True, blank=True)
    """The last project that has been looked at while it is planned."""
    total = models.PositiveIntegerField(default=0)
    """How many items it has, skipped ones included; final when it is running."""
    schedule = models.ForeignKey(
        "exports.ExportSchedule", on_delete=models.SET_NULL, null=True, blank=True, related_name="bulk_exports"
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    paused_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    """When its first items could start; after a retry, when that began."""
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "id"]
        indexes = [
            # Those that are not over are few, whatever there was before.
            models.Index(fields=["status"], name="bulk_open", condition=models.Q(status__in=["pending", "running"]))
        ]

    def __str__(self) -> str:
        return self.name or str(self.pk)


class BulkExportItem(models.Model):
    """One project of a bulk export.

    pending ──> in_flight ──> completed
       │            ├──> failed ──> pending (tried again by a person)
       │            ├──> in_doubt ──> completed, pending (settled by a person)
       │            └──> cancelled
       ├──> skipped
       └──> cancelled

    What is in flight has a TaskExecution, whose status is the truth; the item takes it over when that has ended.
    """

    class Status(models.TextChoices):
        """Where the item stands."""

        PENDING = "pending"
        IN_FLIGHT = "in_flight"
        COMPLETED = "completed"
        FAILED = "failed"
        IN_DOUBT = "in_doubt"
        SKIPPED = "skipped"
        CANCELLED = "cancelled"

    class Reason(models.TextChoices):
        """Why an item was skipped."""

        UNCHANGED = "unchanged"
        NOTHING_GENERATED = "nothing_generated"

    id = models.BigAutoField(primary_key=True)
    bulk_export = models.ForeignKey(BulkExport, on_delete=models.CASCADE, related_name="items", db_index=False)
    position = models.PositiveIntegerField()
    # The database would look each of them up, and lock and write its row, for every item of every night.
    project = models.ForeignKey(
        "projects.Project", on_delete=models.SET_NULL, null=True, related_name="+", db_constraint=False
    )
    project_slug = models.CharField(max_length=100)
    generation = models.ForeignKey(
        "projects.GeneratedProject",
        on_delete=models.DO_NOTHING,
        null=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    """What was the project's newest when it was planned; it may be gone by now, and stays named."""
    content_digest = models.CharField(max_length=64, blank=True)
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.PENDING)
    reason = models.CharField(max_length=20, blank=True, choices=Reason.choices)
    task = models.OneToOneField("workflows.TaskExecution", on_delete=models.SET_NULL, null=True, related_name="+")
    refills = models.BooleanField(default=False)
    """Whether the end of its task is a moment for a round, which starts further items; the last in flight always is."""
    export = models.ForeignKey(
        "exports.RepositoryExport", on_delete=models.SET_NULL, null=True, related_name="+", db_index=False
    )
    error = models.JSONField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["bulk_export", "position"], name="one_item_per_position"),
            models.UniqueConstraint(fields=["bulk_export", "project"], name="one_item_per_project"),
        ]
        # Most items were skipped: an index that leaves them out costs planning nothing.
        indexes = [
            models.Index(fields=["bulk_export", "status", "position"], name="bulk_item_next"),
            models.Index(fields=["export"], name="bulk_item_export", condition=models.Q(export__isnull=False)),
            models.Index(
                fields=["generation"],
                name="bulk_item_open_generation",
                condition=models.Q(status__in=["pending", "in_flight"]),
            ),
        ]


class LastDelivery(models.Model):
    """What a destination has of a project: the content that was delivered last, so that the same is not sent again."""

    id = models.BigAutoField(primary_key=True)
    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+")
    destination_key = models.CharField(max_length=64)
    content_digest = models.CharField(max_length=64)
    export = models.ForeignKey("exports.RepositoryExport", on_delete=models.SET_NULL, null=True, related_name="+")
    """Empty when that delivery is gone: then the destination may have nothing."""
    delivered_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["destination_key", "project"], name="one_last_delivery_each"),
        ]
