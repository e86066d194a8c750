"""What bulk exports and schedules look like in the API. What the values mean is checked by the services."""

from __future__ import annotations

from rest_framework import serializers

from backend.api.hints import StoredError
from backend.api.views import StrictFields
from backend.apps.exports.bulk_models import BulkExportItem


class BulkWish(StrictFields):
    """What a bulk export is to be."""

    selection = serializers.JSONField(help_text='Which projects: {"kind": "all"}, or owner, label, list.')
    export_type = serializers.CharField(max_length=10, help_text="zip, tar, tar.gz, github, gitlab or git.")
    destination = serializers.JSONField(
        required=False, help_text="Where to: credential, repository_name (a pattern with {slug} or {id}), and so on."
    )
    skip_unchanged = serializers.BooleanField(required=False, help_text="Leave out what the destination has.")
    window = serializers.IntegerField(required=False, help_text="How many are in flight at most.")


class BulkStart(BulkWish):
    """What a bulk export is to be, and what to call it."""

    name = serializers.CharField(max_length=200, required=False, allow_blank=True)


class BulkCounts(serializers.Serializer):  # type: ignore[type-arg]
    """How many items stand where."""

    total = serializers.IntegerField()
    completed = serializers.IntegerField()
    skipped = serializers.IntegerField()
    failed = serializers.IntegerField()
    in_doubt = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    in_flight = serializers.IntegerField()
    waiting = serializers.IntegerField()


class BulkExportSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """A bulk export and how far it is."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    status = serializers.CharField()
    standing = serializers.CharField(help_text="The status, or what refines it: planning, paused, cancelling.")
    selection = serializers.JSONField()
    export_type = serializers.CharField()
    destination = serializers.JSONField()
    skip_unchanged = serializers.BooleanField()
    window = serializers.IntegerField()
    created_by = serializers.CharField()
    error = StoredError(allow_null=True)
    counts = BulkCounts()
    percent = serializers.IntegerField()
    rate = serializers.FloatField(allow_null=True, help_text="Deliveries a second.")
    ends_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)


class OutlookSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """What a bulk export would do."""

    total = serializers.IntegerField()
    deliveries = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    nothing_generated = serializers.IntegerField()
    seconds = serializers.FloatField(allow_null=True)
    ends_at = serializers.DateTimeField(allow_null=True)
    bound_by = serializers.CharField(allow_null=True)


class BulkItemSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """What became of one project."""

    position = serializers.IntegerField()
    project = serializers.CharField()
    project_id = serializers.UUIDField(allow_null=True)
    generation = serializers.UUIDField(allow_null=True)
    content_digest = serializers.CharField(allow_null=True)
    status = serializers.CharField()
    reason = serializers.CharField(allow_null=True)
    export = serializers.UUIDField(allow_null=True)
    repository_url = serializers.CharField(allow_null=True)
    archive_path = serializers.CharField(allow_null=True)
    archive_size = serializers.IntegerField(allow_null=True)
    archive_digest = serializers.CharField(allow_null=True)
    commit = serializers.CharField(allow_null=True)
    error_code = serializers.CharField(allow_null=True)
    error_message = serializers.CharField(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)


class BulkReportSerializer(BulkExportSerializer):
    """A bulk export, how far it is, and what became of every project."""

    items = BulkItemSerializer(many=True)


class ItemFilters(serializers.Serializer):  # type: ignore[type-arg]
    """Which items."""

    status = serializers.ChoiceField(BulkExportItem.Status.choices, required=False, help_text="Only these.")
    search = serializers.CharField(
        max_length=100, required=False, help_text="Only those whose project's slug holds this."
    )


class ReportFilters(serializers.Serializer):  # type: ignore[type-arg]
    """In which form."""

    report = serializers.ChoiceField(["json", "csv", "manifest"], required=False, default="json")
