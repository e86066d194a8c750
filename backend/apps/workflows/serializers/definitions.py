"""Workflows, their versions, and what is said about a definition that is only checked."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from backend.api.filters import Filters
from backend.apps.workflows.models import Workflow, WorkflowVersion


class WorkflowSerializer(serializers.ModelSerializer[Workflow]):
    """A workflow, and what its newest version says of it."""

    owner = serializers.UUIDField(source="owner_id", read_only=True, allow_null=True, help_text="Whose it is alone.")
    project = serializers.UUIDField(
        source="project_id", read_only=True, allow_null=True, help_text="Whose members see it; with neither: all do."
    )
    newest_version = serializers.IntegerField(source="newest", read_only=True)
    description = serializers.CharField(read_only=True)

    class Meta:
        model = Workflow
        fields = ("id", "name", "owner", "project", "description", "newest_version", "created_at")
        read_only_fields = fields


class VersionSerializer(serializers.ModelSerializer[WorkflowVersion]):
    """A version without its wording, as lists show it."""

    workflow = serializers.UUIDField(source="workflow_id", read_only=True)
    name = serializers.CharField(source="workflow.name", read_only=True)
    version = serializers.IntegerField(source="number", read_only=True)
    digest = serializers.CharField(read_only=True, help_text="SHA-256 of the wording.")

    class Meta:
        model = WorkflowVersion
        fields = ("workflow", "name", "version", "digest", "created_at")
        read_only_fields = fields


class WholeVersionSerializer(VersionSerializer):
    """A version with its wording."""

    definition = serializers.DictField(read_only=True)

    class Meta:
        model = WorkflowVersion
        fields = (*VersionSerializer.Meta.fields, "definition")
        read_only_fields = fields


class FaultSerializer(serializers.Serializer[Any]):
    """What is wrong with a definition, and where."""

    code = serializers.CharField()
    message = serializers.CharField()
    path = serializers.CharField(allow_null=True)
    line = serializers.IntegerField(allow_null=True)
    step = serializers.CharField(allow_null=True)
    expected = serializers.CharField(allow_null=True)


class CheckedSerializer(serializers.Serializer[Any]):
    """Whether a definition would be taken."""

    valid = serializers.BooleanField()
    name = serializers.CharField(allow_null=True)
    steps = serializers.ListField(child=serializers.CharField(), help_text="The steps' ids, in the definition's order.")
    errors = FaultSerializer(many=True)  # type: ignore[assignment]  # a field of that name


class StepTypeSerializer(serializers.Serializer[Any]):
    """A kind of step, and the JSON Schema of its config once its expressions are filled in."""

    name = serializers.CharField()
    config_schema = serializers.DictField()


class MethodSerializer(serializers.Serializer[Any]):
    """A service method that a task can call."""

    name = serializers.CharField()
    summary = serializers.CharField()
    required = serializers.ListField(  # type: ignore[assignment]  # a field of that name
        child=serializers.CharField(), help_text="Arguments it must be given."
    )
    optional = serializers.ListField(child=serializers.CharField(), help_text="Arguments it can be given.")
    takes_more = serializers.BooleanField(help_text="Whether arguments of other names are taken too.")
    arguments = serializers.DictField(help_text="The JSON Schema of each argument that has a name.")


class SaveQuery(Filters):
    """Whose a definition becomes."""

    project = serializers.CharField(required=False, max_length=100, help_text="The project's id or slug.")


class WorkflowFilters(Filters):
    """What a list of workflows can be narrowed to, and its order."""

    search = serializers.CharField(required=False, max_length=100, help_text="What the name contains.")
    ordering = serializers.ChoiceField(choices=["name", "-name", "created_at", "-created_at"], default="name")
