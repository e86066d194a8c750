"""Inputs that a user keeps by a name, and what they are kept and used with."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from backend.api.views import StrictFields
from backend.apps.workflows.models import SavedInputs
from backend.apps.workflows.serializers.executions import LARGEST_INT, ExecuteSerializer
from backend.apps.workflows.services.saved_inputs import LONGEST_NAME


class SavedInputsSerializer(serializers.ModelSerializer[SavedInputs]):
    """Saved inputs as lists show them."""

    workflow = serializers.UUIDField(source="workflow_id", read_only=True)

    class Meta:
        model = SavedInputs
        fields: tuple[str, ...] = ("id", "workflow", "name", "updated_at")
        read_only_fields = fields


class WholeSavedInputsSerializer(SavedInputsSerializer):
    """Saved inputs with their values."""

    input_data = serializers.DictField(
        source="inputs", read_only=True, help_text="Without secrets, which are not kept."
    )

    class Meta:
        model = SavedInputs
        fields = (*SavedInputsSerializer.Meta.fields, "input_data")
        read_only_fields = fields


class KeptInputsSerializer(WholeSavedInputsSerializer):
    """Saved inputs as they have just been kept."""

    left_out = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="Names of secrets that were given and are not kept."
    )

    class Meta:
        model = SavedInputs
        fields = (*WholeSavedInputsSerializer.Meta.fields, "left_out")
        read_only_fields = fields


class SaveInputsSerializer(StrictFields):
    """What is to be kept, and by which name."""

    name = serializers.CharField(max_length=LONGEST_NAME)
    input_data: Any = serializers.DictField(required=False, default=dict, help_text="They need not be complete.")
    version = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=LARGEST_INT,
        help_text="Whose secrets are left out; the newest when absent.",
    )


class ExecuteSavedSerializer(ExecuteSerializer):
    """What an execution with saved inputs is started with besides them."""

    input_data = serializers.DictField(
        required=False, default=dict, help_text="Inputs that differ, and secrets, which are not kept."
    )
