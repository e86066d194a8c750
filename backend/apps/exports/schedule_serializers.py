"""What schedules look like in the API. What the values mean is checked by the services."""

from __future__ import annotations

from rest_framework import serializers

from backend.api.hints import StoredError
from backend.api.views import StrictFields
from backend.apps.exports.bulk_serializers import BulkWish


class ScheduleWish(StrictFields):
    """When a bulk export is to start, and what happens when something is in its way."""

    name = serializers.CharField(max_length=100)
    export = BulkWish()
    cron = serializers.CharField(max_length=100, required=False, help_text="Five fields: 30 2 * * *")
    interval_seconds = serializers.IntegerField(required=False)
    time_zone = serializers.CharField(max_length=64, required=False)
    overlap = serializers.CharField(max_length=10, required=False, help_text="skip, queue or replace.")
    catch_up = serializers.CharField(max_length=10, required=False, help_text="none, one or all.")
    catch_up_seconds = serializers.IntegerField(required=False)
    keep_last = serializers.IntegerField(required=False, allow_null=True)
    keep_days = serializers.IntegerField(required=False, allow_null=True)
    notify_url = serializers.CharField(max_length=1000, required=False, allow_blank=True)
    notify_email = serializers.ListField(child=serializers.CharField(max_length=254), required=False, max_length=20)


class ScheduleChange(ScheduleWish):
    """What is to be other than it is; a cron expression takes the place of an interval, and the other way round."""

    name = serializers.CharField(max_length=100, required=False)
    export = BulkWish(required=False)


class RunSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """One time that a schedule was due."""

    due_at = serializers.DateTimeField()
    status = serializers.CharField()
    by_hand = serializers.BooleanField()
    reason = serializers.CharField(allow_null=True)
    bulk_export = serializers.UUIDField(allow_null=True)
    result = serializers.JSONField(allow_null=True)
    error = StoredError(allow_null=True)
    notified_at = serializers.DateTimeField(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)


class ScheduleSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """A schedule, its next five times and its last runs."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    work = serializers.CharField()
    cron = serializers.CharField(allow_null=True)
    interval_seconds = serializers.IntegerField(allow_null=True)
    time_zone = serializers.CharField()
    enabled = serializers.BooleanField()
    export = serializers.JSONField(allow_null=True)
    overlap = serializers.CharField()
    catch_up = serializers.CharField()
    catch_up_seconds = serializers.IntegerField()
    keep_last = serializers.IntegerField(allow_null=True)
    keep_days = serializers.IntegerField(allow_null=True)
    notify_url = serializers.CharField(allow_null=True)
    notify_email = serializers.ListField(child=serializers.CharField())
    owner = serializers.CharField(allow_null=True)
    next_times = serializers.ListField(child=serializers.DateTimeField())
    runs = RunSerializer(many=True)
