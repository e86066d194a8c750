"""Tasks, the calls that are made on their own, and how one in doubt is settled."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from backend.api.filters import Filters
from backend.api.hints import StoredError
from backend.api.views import StrictFields
from backend.apps.workflows.models import TaskExecution

LONGEST_KEY = 150
MOST_RETRIES = 100


class TaskSerializer(serializers.ModelSerializer[TaskExecution]):
    """A task without its arguments, which may be large."""

    execution = serializers.UUIDField(source="execution_id", read_only=True, allow_null=True)
    step = serializers.CharField(source="step.step_id", default=None, read_only=True, allow_null=True)
    project = serializers.UUIDField(source="project_id", read_only=True, allow_null=True)
    user = serializers.UUIDField(source="user_id", read_only=True)
    item = serializers.IntegerField(read_only=True, help_text="Which item of a repeated step it is for; 0 elsewhere.")
    attempts = serializers.IntegerField(source="attempt", read_only=True)
    retries = serializers.IntegerField(read_only=True, help_text="Failed attempts that were tried again.")
    error = StoredError(read_only=True, allow_null=True)
    not_before = serializers.DateTimeField(read_only=True, allow_null=True, help_text="When it is tried again.")

    class Meta:
        model = TaskExecution
        fields: tuple[str, ...] = (
            "id",
            "key",
            "method",
            "execution",
            "step",
            "item",
            "position",
            "project",
            "user",
            "status",
            "attempts",
            "retries",
            "max_retries",
            "not_before",
            "worker",
            "error",
            "created_at",
            "started_at",
            "completed_at",
        )
        read_only_fields = fields


class TaskWithResultSerializer(TaskSerializer):
    """A task with its result."""

    class Meta:
        model = TaskExecution
        fields = (*TaskSerializer.Meta.fields, "result")
        read_only_fields = fields


class CallSerializer(StrictFields):
    """A service method that is to be done once."""

    method = serializers.CharField(max_length=100, help_text="Such as `generation.write_file`.")
    arguments = serializers.DictField(required=False, default=dict)
    project = serializers.CharField(
        required=False, allow_null=True, max_length=100, help_text="The project to work on: its id or slug."
    )
    key = serializers.RegexField(
        r"^[!-~]+$",
        max_length=LONGEST_KEY,
        required=False,
        allow_null=True,
        help_text="Names the work for ever: the same key of yours with the same call gives the task there is.",
    )
    max_retries = serializers.IntegerField(required=False, default=10, min_value=0, max_value=MOST_RETRIES)


class ResolveSerializer(StrictFields):
    """What became of a task that is in doubt."""

    outcome = serializers.ChoiceField(
        choices=["done", "retry"], help_text="`done`: it happened; `retry`: it did not, do it again."
    )
    result = serializers.JSONField(
        required=False, allow_null=True, default=None, help_text="With `done`: what it would have answered."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a result of what did not happen."""
        if attrs["outcome"] == "retry" and attrs["result"] is not None:
            raise serializers.ValidationError({"result": ["A result belongs to what is done."]})
        return attrs


class TaskFilters(Filters):
    """Which tasks are listed: calls on their own unless an execution is named, or only what is in doubt is wanted."""

    execution = serializers.UUIDField(required=False, help_text="Those of this execution.")
    in_doubt = serializers.BooleanField(required=False, help_text="Those that wait for a person, wherever they are.")
    status = serializers.ChoiceField(choices=TaskExecution.Status.choices, required=False)
    method = serializers.CharField(required=False, max_length=100)
    ordering = serializers.ChoiceField(choices=["created_at", "-created_at"], default="-created_at")


class StepTaskFilters(Filters):
    """What a list of an execution's tasks can be narrowed to, and its order."""

    step = serializers.CharField(required=False, max_length=100)
    status = serializers.ChoiceField(choices=TaskExecution.Status.choices, required=False)
    ordering = serializers.ChoiceField(choices=["created_at", "-created_at"], default="created_at")
