"""Which values a request for an export takes. A token is taken in and never given out."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from backend.api.views import StrictFields
from backend.apps.credentials.secret import LARGEST_SECRET
from backend.apps.exports.models import RepositoryExport

VISIBILITIES = ["private", "internal", "public"]
ARCHIVES = [("zip", "zip"), ("tar", "tar"), ("tar.gz", "tar.gz")]


class TokenField(serializers.CharField):
    """A secret that goes in and never comes out; nothing about it is said in an error."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401  (a field's)
        options = {"required": False, "trim_whitespace": False, "max_length": LARGEST_SECRET, **options}
        super().__init__(write_only=True, style={"input_type": "password"}, **options)


class RepositoryOptions(StrictFields):
    """What can be said of every repository."""

    credential = serializers.CharField(max_length=100, required=False, help_text="The name of a stored credential.")
    branch = serializers.CharField(max_length=200, required=False, default="main")


class NewRepositoryOptions(RepositoryOptions):
    """What can be said of a repository that is made where it is missing."""

    description = serializers.CharField(max_length=2000, required=False, allow_blank=True, trim_whitespace=False)
    topics = serializers.ListField(child=serializers.CharField(max_length=255), max_length=20, required=False)
    base_url = serializers.CharField(
        max_length=1000, required=False, help_text="With a token: the address of a server of your own."
    )


class GitHubOptions(NewRepositoryOptions):
    """What can be said of a repository on GitHub."""

    organization = serializers.CharField(max_length=100, required=False, allow_null=True)
    private = serializers.BooleanField(required=False, default=True)
    github_token = TokenField(help_text="A token for this one export; it is kept encrypted until that has ended.")


class GitLabOptions(NewRepositoryOptions):
    """What can be said of a project on GitLab."""

    namespace = serializers.CharField(max_length=255, required=False, allow_null=True)
    visibility = serializers.ChoiceField(choices=VISIBILITIES, required=False, default="private")
    gitlab_token = TokenField(help_text="A token for this one export; it is kept encrypted until that has ended.")


class GitOptions(RepositoryOptions):
    """What can be said of any other git remote."""

    url = serializers.CharField(max_length=1000, required=False, help_text="A git remote that is there, by https.")
    username = serializers.CharField(max_length=100, required=False, help_text="What goes with the token.")
    token = TokenField()


class ArchiveOptions(StrictFields):
    """An archive has no options."""


OPTIONS: dict[str, type[StrictFields]] = {
    **{name: ArchiveOptions for name, _ in ARCHIVES},
    "github": GitHubOptions,
    "gitlab": GitLabOptions,
    "git": GitOptions,
}


class ExportRequestSerializer(StrictFields):
    """What is to be delivered, or where to."""

    export_type = serializers.ChoiceField(choices=RepositoryExport.ExportType.choices)
    repository_name = serializers.CharField(
        max_length=200, required=False, allow_blank=True, default="", help_text="Of a repository; archives have none."
    )
    config = serializers.DictField(
        required=False,
        default=dict,
        help_text="For github: credential or github_token, organization, private, and as for both description, topics,"
        " branch, base_url. For gitlab: credential or gitlab_token, namespace, visibility, and the same."
        " For git: url, credential or token, username, branch. For archives nothing.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Check the options by the type's own rules."""
        options = OPTIONS[attrs["export_type"]](data=attrs["config"])
        if not options.is_valid():
            raise serializers.ValidationError({"config": options.errors})
        return {**attrs, "config": dict(options.validated_data)}


class FlatExportRequestSerializer(ExportRequestSerializer):
    """The same, with the generation in the body."""

    generated_project = serializers.UUIDField()


class GitHubRequestSerializer(GitHubOptions):
    """A repository on GitHub."""

    repository_name = serializers.CharField(max_length=100)


class GitLabRequestSerializer(GitLabOptions):
    """A project on GitLab."""

    project_name = serializers.CharField(max_length=100)


class ExportFilters(serializers.Serializer[Any]):
    """What a list of exports can be narrowed to and sorted by."""

    status = serializers.ChoiceField(choices=RepositoryExport.Status.choices, required=False)
    export_type = serializers.ChoiceField(choices=RepositoryExport.ExportType.choices, required=False)
    ordering = serializers.ChoiceField(
        choices=[sign + name for name in ("created_at", "completed_at", "status") for sign in ("", "-")],
        default="-created_at",
    )


class AllExportFilters(ExportFilters):
    """What the list of all exports can be narrowed to and sorted by."""

    project = serializers.UUIDField(required=False)
    generated_project = serializers.UUIDField(required=False)
