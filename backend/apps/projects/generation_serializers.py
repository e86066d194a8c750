"""What generations and their files look like in the API, and what can be asked of them. Nothing is saved from here."""

from __future__ import annotations

import base64
from pathlib import PurePath
from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from backend.api.views import StrictFields
from backend.apps.projects.generation_selectors import recorded_files
from backend.apps.projects.models import GeneratedProject, ProjectFile
from backend.apps.projects.services.generation_start import first_task
from backend.apps.projects.services.recorded_bytes import open_recorded

MOST_FILES = 1000
"""Files that are shown with their generation; all of them have a list of their own."""
LARGEST_CONTENT = 1024 * 1024
"""Bytes of a file that is shown inside JSON; larger ones have an address of their own."""
_ORDERS = ("created_at", "updated_at", "completed_at", "status", "total_files", "total_size")
ORDERINGS = [sign + name for name in _ORDERS for sign in ("", "-")]


class GenerationSerializer(serializers.ModelSerializer[GeneratedProject]):
    """One generation of a project."""

    project = serializers.UUIDField(source="project_id", read_only=True)
    project_name = serializers.CharField(source="project.name", read_only=True)
    workflow_execution = serializers.UUIDField(source="workflow_execution_id", read_only=True, allow_null=True)
    based_on = serializers.UUIDField(source="based_on_id", read_only=True, allow_null=True)
    created_by = serializers.UUIDField(source="created_by_id", read_only=True)
    output_directory = serializers.SerializerMethodField(help_text="Its workspace, below the folder of all workspaces.")

    class Meta:
        model = GeneratedProject
        fields: tuple[str, ...] = (
            "id",
            "project",
            "project_name",
            "workflow_execution",
            "output_directory",
            "status",
            "error_message",
            "total_files",
            "total_size",
            "based_on",
            "commit",
            "created_by",
            "created_at",
            "updated_at",
            "completed_at",
        )
        read_only_fields = fields

    def get_output_directory(self, generation: GeneratedProject) -> str:
        """Return the workspace's name; where all of them lie is the server's own business."""
        return PurePath(generation.output_directory).name


class FileSerializer(serializers.ModelSerializer[ProjectFile]):
    """One file of a generation."""

    generated_project = serializers.UUIDField(source="generated_project_id", read_only=True)

    class Meta:
        model = ProjectFile
        fields: tuple[str, ...] = (
            "id",
            "generated_project",
            "file_path",
            "file_name",
            "file_type",
            "file_size",
            "executable",
            "content_hash",
            "created_at",
        )
        read_only_fields = fields


class FileDetailSerializer(FileSerializer):
    """One file with its preview and, where it is asked for, its content."""

    content = serializers.SerializerMethodField(help_text="With `?content=true`, up to 1 MiB; else null.")
    encoding = serializers.SerializerMethodField(help_text="How `content` is written: utf-8, or base64 for no text.")
    content_url = serializers.SerializerMethodField(help_text="Where the bytes are.")

    class Meta(FileSerializer.Meta):
        fields = (*FileSerializer.Meta.fields, "content_preview", "content", "encoding", "content_url")
        read_only_fields = fields

    def to_representation(self, instance: ProjectFile) -> dict[str, Any]:
        """Read the content once for both fields that tell of it."""
        self._said = self._content(instance)
        return dict(super().to_representation(instance))

    @extend_schema_field({"type": "string", "nullable": True})
    def get_content(self, file: ProjectFile) -> str | None:  # noqa: ARG002  (REST framework's signature)
        """Return the content, None where it was not asked for or is too large."""
        return self._said[0]

    @extend_schema_field({"type": "string", "nullable": True, "enum": ["utf-8", "base64", None]})
    def get_encoding(self, file: ProjectFile) -> str | None:  # noqa: ARG002
        """Return how the content is written."""
        return self._said[1]

    def get_content_url(self, file: ProjectFile) -> str:
        """Return the path at which the bytes are."""
        return reverse(
            "generated-file-raw", args=[file.generated_project.project_id, file.generated_project_id, file.pk]
        )

    def _content(self, file: ProjectFile) -> tuple[str | None, str | None]:
        if not self.context.get("with_content") or file.file_size > LARGEST_CONTENT:
            return None, None
        with open_recorded(file) as stream:
            data = stream.read()
        try:
            return data.decode(), "utf-8"
        except UnicodeDecodeError:
            return base64.b64encode(data).decode(), "base64"


class GenerationDetailSerializer(GenerationSerializer):
    """One generation with its files."""

    files = serializers.SerializerMethodField(help_text="The first 1,000 by path; `files_url` lists them all.")
    files_url = serializers.SerializerMethodField()

    class Meta(GenerationSerializer.Meta):
        fields = (*GenerationSerializer.Meta.fields, "files", "files_url")
        read_only_fields = fields

    @extend_schema_field(FileSerializer(many=True))
    def get_files(self, generation: GeneratedProject) -> Any:  # noqa: ANN401  (JSON)
        """Return the first files."""
        return FileSerializer(recorded_files(generation)[:MOST_FILES], many=True).data

    def get_files_url(self, generation: GeneratedProject) -> str:
        """Return the path of the list of all files."""
        return reverse("generated-files", args=[generation.project_id, generation.pk])


class StartedGenerationSerializer(GenerationSerializer):
    """A generation that was just started, and the task that begins it."""

    task_id = serializers.SerializerMethodField()

    class Meta(GenerationSerializer.Meta):
        fields = (*GenerationSerializer.Meta.fields, "task_id")
        read_only_fields = fields

    @extend_schema_field({"type": "string", "format": "uuid", "nullable": True})
    def get_task_id(self, generation: GeneratedProject) -> str | None:
        """Return the id of the execution's first task, None where it has none yet."""
        task = first_task(generation)
        return None if task is None else str(task)


class GenerationRequestSerializer(StrictFields):
    """Which workflow is to generate the project, and with what."""

    workflow_id = serializers.UUIDField(help_text="A workflow with a step that generates files.")
    input_data = serializers.DictField(required=False, default=dict, help_text="What the workflow's inputs ask for.")


class GenerationFilters(serializers.Serializer[Any]):
    """What a list of generations can be narrowed to and sorted by."""

    status = serializers.ChoiceField(choices=GeneratedProject.Status.choices, required=False)
    ordering = serializers.ChoiceField(choices=ORDERINGS, default="-created_at")


class FileFilters(serializers.Serializer[Any]):
    """What a list of a generation's files can be narrowed to."""

    file_type = serializers.CharField(max_length=50, required=False)
    path = serializers.CharField(max_length=4096, required=False, trim_whitespace=False, help_text="How paths begin.")


class PathQuery(serializers.Serializer[Any]):
    """Which file."""

    path = serializers.CharField(max_length=4096, trim_whitespace=False)


class ContentQuery(serializers.Serializer[Any]):
    """Whether a file's content is wanted with it."""

    content = serializers.BooleanField(default=False)
