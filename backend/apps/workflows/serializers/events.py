"""The events of an execution, and where in its history to begin."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from backend.api.filters import Filters
from backend.apps.workflows.models import ExecutionEvent
from backend.apps.workflows.serializers.executions import LARGEST_INT


class EventSerializer(serializers.ModelSerializer[ExecutionEvent]):
    """One line of an execution's history."""

    sequence = serializers.IntegerField(read_only=True, help_text="Counts from 1 without gaps.")
    kind = serializers.CharField(read_only=True, help_text="What happened; a stable word.")
    task_id = serializers.UUIDField(read_only=True, allow_null=True, help_text="Null for what is no task's.")
    data = serializers.DictField(read_only=True)  # type: ignore[assignment]  # a field of that name

    class Meta:
        model = ExecutionEvent
        fields = ("sequence", "kind", "step_id", "task_id", "data", "created_at")
        read_only_fields = fields


# One page is one thing, though the action is called `list`.
@extend_schema_serializer(many=False)
class EventPageSerializer(serializers.Serializer[Any]):
    """A stretch of an execution's history."""

    next = serializers.CharField(allow_null=True, help_text="The next page; null where there is nothing more yet.")
    last = serializers.IntegerField(help_text="The number of the last event here; ask for what comes `after` it.")
    status = serializers.CharField(help_text="Where the execution stands.")
    results = EventSerializer(many=True)


class EventFilters(Filters):
    """Where in the history to begin."""

    after = serializers.IntegerField(
        required=False, default=0, min_value=0, max_value=LARGEST_INT, help_text="Only events after this number."
    )
