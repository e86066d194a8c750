"""Executions and their steps, what starts one, and what a list of them can be narrowed to."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from backend.api.filters import Filters
from backend.api.hints import StoredError
from backend.api.views import StrictFields
from backend.apps.workflows.models import StepExecution, WorkflowExecution

LARGEST_INT = 2**31 - 1
STANDINGS = [*WorkflowExecution.Status.values, "paused", "cancelling"]


class ExecutionSerializer(serializers.Serializer[Any]):
    """An execution as lists show it. Its fields are written out: finding them takes as long as the rest."""

    id = serializers.UUIDField(read_only=True)
    workflow = serializers.UUIDField(source="workflow_id", read_only=True)
    workflow_name = serializers.CharField(source="workflow.name", read_only=True)
    version = serializers.IntegerField(source="version.number", read_only=True)
    project = serializers.UUIDField(source="project_id", read_only=True, allow_null=True)
    project_name = serializers.CharField(read_only=True)
    user = serializers.UUIDField(source="user_id", read_only=True)
    username = serializers.CharField(source="user.username", read_only=True)
    status = serializers.ChoiceField(choices=WorkflowExecution.Status.choices, read_only=True)
    paused = serializers.SerializerMethodField(help_text="Nothing starts until it is resumed; `status` is `running`.")
    cancelling = serializers.SerializerMethodField(help_text="It ends as soon as nothing runs any more.")
    current_step = serializers.CharField(read_only=True)
    retry_count = serializers.IntegerField(read_only=True, help_text="How often it was set going after it had failed.")
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)
    started_at = serializers.DateTimeField(read_only=True, allow_null=True)
    completed_at = serializers.DateTimeField(read_only=True, allow_null=True)

    def get_paused(self, execution: WorkflowExecution) -> bool:
        """Return whether it is paused."""
        return execution.paused_at is not None

    def get_cancelling(self, execution: WorkflowExecution) -> bool:
        """Return whether it is being cancelled."""
        return execution.cancel_requested_at is not None


class StepSerializer(serializers.ModelSerializer[StepExecution]):
    """A step without its result, which the execution's state has."""

    id = serializers.CharField(source="step_id", read_only=True, help_text="The step's id in the definition.")
    type = serializers.CharField(source="step_type", read_only=True)
    error = StoredError(read_only=True, allow_null=True)

    class Meta:
        model = StepExecution
        fields: tuple[str, ...] = ("id", "type", "status", "error", "started_at", "completed_at")
        read_only_fields = fields


class StepWithResultSerializer(StepSerializer):
    """A step with its result."""

    class Meta:
        model = StepExecution
        fields = (*StepSerializer.Meta.fields, "result")
        read_only_fields = fields


class LinksSerializer(serializers.Serializer[Any]):
    """Where the rest of an execution is."""

    self = serializers.CharField()
    state = serializers.CharField()
    steps = serializers.CharField()
    tasks = serializers.CharField()
    events = serializers.CharField()


class WholeExecutionSerializer(ExecutionSerializer):
    """An execution with its inputs, outputs, state, steps, and where the rest is."""

    input_data = serializers.DictField(
        source="shown_inputs", read_only=True, help_text="Without the inputs that are `writeOnly`."
    )
    output_data = serializers.DictField(read_only=True)
    error = StoredError(read_only=True, allow_null=True)
    state = serializers.DictField(read_only=True, help_text="Per step its status, and its result or error.")
    steps = StepSerializer(source="shown_steps", many=True, read_only=True)
    links = LinksSerializer(read_only=True)


class ExecuteSerializer(StrictFields):
    """What an execution of a known workflow is started with."""

    input_data = serializers.DictField(required=False, default=dict, help_text="The workflow's inputs.")
    project = serializers.CharField(
        required=False, allow_null=True, max_length=100, help_text="The project to work on: its id or slug."
    )
    version = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=LARGEST_INT, help_text="The newest when absent."
    )


class StartSerializer(ExecuteSerializer):
    """What an execution is started with."""

    workflow = serializers.CharField(max_length=100, help_text="The workflow's id or name.")


class CancelSerializer(StrictFields):
    """What is to be cancelled."""

    step = serializers.CharField(
        required=False, allow_null=True, max_length=100, help_text="One step; the whole execution when absent."
    )


class RetrySerializer(StrictFields):
    """What is to be done again."""

    step = serializers.CharField(max_length=100, help_text="The failed or cancelled step.")


class RerunSerializer(StrictFields):
    """How the new execution is to differ."""

    input_data = serializers.DictField(required=False, default=dict, help_text="The inputs that differ.")


class ExecutionFilters(Filters):
    """What a list of executions can be narrowed to, and its order."""

    status = serializers.ChoiceField(
        choices=STANDINGS, required=False, help_text="`running` includes what is `paused` or `cancelling`."
    )
    workflow = serializers.CharField(required=False, max_length=100, help_text="A workflow's id or name.")
    project = serializers.UUIDField(required=False)
    user = serializers.UUIDField(required=False, help_text="Who started it.")
    created_after = serializers.DateTimeField(required=False, help_text="Created at this moment or later.")
    created_before = serializers.DateTimeField(required=False, help_text="Created before this moment.")
    ordering = serializers.ChoiceField(choices=["created_at", "-created_at"], default="-created_at")
