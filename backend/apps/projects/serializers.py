"""What projects, stories and sprints look like in the API, and which values it takes. Nothing is saved from here."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from backend.api.views import StrictFields
from backend.apps.projects.models import Project, Sprint, Story

MADE_BY_US = ("id", "created_at", "updated_at")
LARGEST_POINTS = 32767
PROJECT_ORDERS = [(sign + name, sign + name) for name in ("name", "created_at", "updated_at") for sign in ("", "-")]


class ProjectSerializer(StrictFields, serializers.ModelSerializer[Project]):
    """A project; without a slug it gets one made from its name."""

    slug = serializers.SlugField(max_length=100, required=False)
    owner = serializers.UUIDField(source="owner_id", read_only=True)
    organisation = serializers.UUIDField(
        source="organisation_id",
        required=False,
        allow_null=True,
        help_text="The organisation whose limits it is under; the owner puts it into one of their own.",
    )

    class Meta:
        model = Project
        fields = ("id", "name", "slug", "description", "owner", "organisation", "created_at", "updated_at")
        read_only_fields = MADE_BY_US


class InProject(StrictFields):
    """A thing that belongs to the project of its path; a `project` in the body must be the same one."""

    def validate_project(self, value: Any) -> Any:  # noqa: ANN401  (as in Serializer)
        """Refuse another project than the path's."""
        if str(value) != str(self.context["project_id"]):
            raise serializers.ValidationError("This is not the project of the path; leave it out or give the same.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Drop the project: it is the path that says it."""
        attrs.pop("project_id", None)
        return attrs


class StorySerializer(InProject, serializers.ModelSerializer[Story]):
    """A story of a project."""

    project = serializers.UUIDField(source="project_id", required=False)
    sprint = serializers.UUIDField(source="sprint_id", required=False, allow_null=True)
    created_by = serializers.UUIDField(source="created_by_id", read_only=True)

    class Meta:
        model = Story
        fields = (
            "id",
            "project",
            "sprint",
            "title",
            "description",
            "acceptance_criteria",
            "status",
            "priority",
            "story_points",
            "created_by",
            "created_at",
            "updated_at",
        )
        read_only_fields = MADE_BY_US
        # PostgreSQL's smallint; SQLite would take more.
        extra_kwargs = {"story_points": {"min_value": 0, "max_value": LARGEST_POINTS}}


class SprintSerializer(InProject, serializers.ModelSerializer[Sprint]):
    """A sprint of a project."""

    project = serializers.UUIDField(source="project_id", required=False)
    created_by = serializers.UUIDField(source="created_by_id", read_only=True)

    class Meta:
        model = Sprint
        fields = (
            "id",
            "project",
            "name",
            "goal",
            "start_date",
            "end_date",
            "status",
            "created_by",
            "created_at",
            "updated_at",
        )
        read_only_fields = MADE_BY_US


class ProjectFilters(serializers.Serializer[Any]):
    """What a list of projects can be narrowed to, and its order."""

    search = serializers.CharField(required=False, max_length=200, help_text="A part of the name or the slug.")
    organisation = serializers.UUIDField(required=False)
    owner = serializers.UUIDField(required=False, help_text="The id of the user who owns them.")
    # REST framework takes declared fields out of the class, so this is not its fields' own `label`.
    label = serializers.CharField(  # type: ignore[assignment]
        required=False, max_length=50, help_text="A label that they have."
    )
    ordering = serializers.ChoiceField(choices=PROJECT_ORDERS, required=False)


class SprintFilters(serializers.Serializer[Any]):
    """What a list of sprints can be narrowed to."""

    status = serializers.ChoiceField(choices=Sprint.Status.choices, required=False)


class StoryFilters(serializers.Serializer[Any]):
    """What a list of stories can be narrowed to."""

    status = serializers.ChoiceField(choices=Story.Status.choices, required=False)
    sprint = serializers.UUIDField(required=False)
