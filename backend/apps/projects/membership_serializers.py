"""What members look like in the API, and which values it takes. Nothing is saved from here."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from backend.api.views import StrictFields
from backend.apps.authentication.models import User
from backend.apps.projects.models import ProjectMembership

ROLES = [("owner", "Owner"), *ProjectMembership.Role.choices]


class MemberSerializer(StrictFields, serializers.ModelSerializer[User]):
    """Somebody's place in a project."""

    user = serializers.UUIDField(source="pk", read_only=True)
    username = serializers.CharField(read_only=True)
    role = serializers.ChoiceField(choices=ROLES)

    class Meta:
        model = User
        fields = ("user", "username", "role")


class NamedUser(StrictFields):
    """A user, by id or by name."""

    user = serializers.UUIDField(required=False, source="member_id", help_text="The user's id; or give `username`.")
    username = serializers.CharField(required=False, max_length=150, help_text="The user's name; or give `user`.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse both and neither."""
        if len({"member_id", "username"} & attrs.keys()) != 1:
            raise serializers.ValidationError({"username": ["Give either user, an id, or username."]}, code="invalid")
        return attrs


class NewMemberSerializer(NamedUser):
    """Who is to become a member, and as what."""

    role = serializers.ChoiceField(choices=ProjectMembership.Role.choices, default=ProjectMembership.Role.AUTHOR)


class RoleSerializer(StrictFields):
    """The role that a member is to have."""

    role = serializers.ChoiceField(choices=ProjectMembership.Role.choices)


class MemberFilters(serializers.Serializer[Any]):
    """What a list of members can be narrowed to."""

    role = serializers.ChoiceField(choices=ROLES, required=False)
