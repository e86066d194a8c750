"""What the files of a workspace and the differences of two look like in the API, and what can be asked of them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from backend.api.views import StrictFields
from backend.apps.projects.generation_serializers import PathQuery

MOST_AT_ONCE = 1000


class WorkspaceFileSerializer(serializers.Serializer[Any]):
    """One file of a workspace."""

    path = serializers.CharField()
    size = serializers.IntegerField(help_text="In bytes.")
    executable = serializers.BooleanField()


class WrittenFileSerializer(WorkspaceFileSerializer):
    """A file that was written."""

    digest = serializers.CharField(help_text="Its SHA-256, which is its ETag.")
    created = serializers.BooleanField(help_text="Whether nothing was there before.")


class WrittenArchiveSerializer(serializers.Serializer[Any]):
    """What an archive has changed."""

    files = serializers.IntegerField(help_text="Files that were written.")
    directories = serializers.IntegerField(help_text="Directories that the archive names or its files lie in.")
    replaced = serializers.IntegerField(help_text="Those of the files that were there before.")
    size = serializers.IntegerField(help_text="Bytes of all its files.")


# One answer, with the list in it: it is not cut into numbered pages.
@extend_schema_serializer(many=False)
class WorkspaceFilesSerializer(serializers.Serializer[Any]):
    """The next files of a workspace."""

    next = serializers.URLField(allow_null=True, help_text="Where the files after these are.")
    results = WorkspaceFileSerializer(many=True)


class WorkspaceFilters(serializers.Serializer[Any]):
    """What a list of a workspace's files can be narrowed to, and where it goes on."""

    prefix = serializers.CharField(max_length=4096, required=False, default="", trim_whitespace=False)
    after = serializers.CharField(max_length=4096, required=False, default="", trim_whitespace=False)
    limit = serializers.IntegerField(min_value=1, max_value=MOST_AT_ONCE, default=100)


class WriteQuery(PathQuery):
    """Which file, and whether it can be executed."""

    executable = serializers.BooleanField(required=False, allow_null=True, default=None)


class TextSerializer(StrictFields):
    """The content of a file inside JSON; as a body of another type the content is the body itself."""

    content = serializers.CharField(allow_blank=True, trim_whitespace=False)
    encoding = serializers.CharField(
        max_length=50, default="utf-8", help_text="A text encoding, or base64 for what is no text."
    )
    executable = serializers.BooleanField(required=False, allow_null=True, default=None)


class ChangeSerializer(serializers.Serializer[Any]):
    """One file that differs."""

    path = serializers.CharField()
    status = serializers.ChoiceField(choices=[(name, name) for name in ("added", "changed", "removed")])
    mode_changed = serializers.BooleanField(help_text="Whether it became executable, or no longer is.")
    lines_added = serializers.IntegerField(allow_null=True, help_text="Null where they were not counted.")
    lines_removed = serializers.IntegerField(allow_null=True)


class DiffSerializer(serializers.Serializer[Any]):
    """What differs between two states of a project."""

    old = serializers.CharField(allow_null=True, help_text="The older commit; null for the state before the first.")
    new = serializers.CharField(help_text="The newer commit, or `workspace`.")
    added = serializers.IntegerField()
    changed = serializers.IntegerField()
    removed = serializers.IntegerField()
    files = ChangeSerializer(many=True)


class DiffQuery(serializers.Serializer[Any]):
    """Which two states."""

    old = serializers.CharField(
        max_length=64, required=False, help_text="The beginning of a generation's or a commit's id."
    )
    new = serializers.CharField(
        max_length=64, required=False, help_text="Another one, or `workspace`. Without both: the newest and its parent."
    )
