"""What a dry run is asked with, and what it says."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from backend.api.views import StrictFields
from backend.apps.workflows.serializers.executions import ExecuteSerializer
from backend.apps.workflows.services.dry_run import ITEMS, MOST_ITEMS


class DryRunRequestSerializer(ExecuteSerializer):
    """What a dry run of a saved workflow is asked with: what an execution would be started with."""

    items = serializers.IntegerField(
        required=False,
        default=ITEMS,
        min_value=1,
        max_value=MOST_ITEMS,
        help_text="Of a step with `each`, how many items are worked out one by one.",
    )


class DefinitionDryRunRequestSerializer(StrictFields):
    """What a dry run of a definition is asked with that need not be saved."""

    definition = serializers.DictField(help_text="The definition, as it would be saved.")
    input_data = serializers.DictField(required=False, default=dict, help_text="The workflow's inputs.")
    project = serializers.CharField(
        required=False, allow_null=True, max_length=100, help_text="The project to work on: its id or slug."
    )
    items = serializers.IntegerField(required=False, default=ITEMS, min_value=1, max_value=MOST_ITEMS)


class MissingSerializer(serializers.Serializer[Any]):
    """An expression whose value is not known before the run."""

    path = serializers.CharField()
    expression = serializers.CharField()


class EffectSerializer(serializers.Serializer[Any]):
    """What one task would do."""

    kind = serializers.ChoiceField(choices=["generates", "packages", "pushes", "requests", "calls"])
    summary = serializers.CharField()
    details = serializers.DictField(help_text="By kind: files; format; host, repository and branch; method and URL.")


class DryStepSerializer(serializers.Serializer[Any]):
    """What would become of one step."""

    id = serializers.CharField()
    name = serializers.CharField()
    type = serializers.CharField()
    status = serializers.ChoiceField(
        choices=["completed", "skipped", "failed", "unclear"],
        help_text="`unclear`: it depends on too much that is not known yet.",
    )
    why = serializers.CharField(allow_null=True)
    error = serializers.JSONField(allow_null=True)
    condition = serializers.CharField(allow_null=True)
    condition_known = serializers.BooleanField(help_text="False: it is shown as if its condition were true.")
    repeated = serializers.BooleanField()
    items = serializers.IntegerField(allow_null=True)
    shown_items = serializers.IntegerField(allow_null=True)
    effects = EffectSerializer(many=True)
    unknown = MissingSerializer(many=True)


class ShownFileSerializer(serializers.Serializer[Any]):
    """One file against what the project has."""

    path = serializers.CharField()
    status = serializers.ChoiceField(choices=["added", "changed", "removed", "unchanged"])
    size = serializers.IntegerField()
    executable = serializers.BooleanField()
    content = serializers.CharField(allow_null=True, help_text="Null where it is no text, or unchanged, or too much.")
    diff = serializers.CharField(allow_null=True)
    cut = serializers.BooleanField(help_text="There is more than is shown.")
    open = serializers.BooleanField(help_text="Something in it is not known yet.")


class FileTreeSerializer(serializers.Serializer[Any]):
    """The files that the run would leave in the project."""

    files = ShownFileSerializer(many=True)
    directories = serializers.ListField(child=serializers.CharField(), help_text="Those that would stay empty.")
    more = serializers.IntegerField(help_text="Files that are not listed here.")
    added = serializers.IntegerField()
    changed = serializers.IntegerField()
    removed = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    total_size = serializers.IntegerField()
    against = serializers.CharField(allow_null=True, help_text="The generation that they are compared with.")
    incomplete = serializers.ListField(child=serializers.CharField())


class DryRunSerializer(serializers.Serializer[Any]):
    """What an execution would do. What is not known stands between « and »."""

    workflow = serializers.CharField()
    project = serializers.CharField(allow_null=True)
    outcome = serializers.ChoiceField(choices=["completed", "failed"])
    error = serializers.JSONField(allow_null=True)
    warnings = serializers.ListField(child=serializers.CharField())
    steps = DryStepSerializer(many=True)
    files = FileTreeSerializer(allow_null=True)
    outputs = serializers.DictField()
    unknown = MissingSerializer(many=True)
