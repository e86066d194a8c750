"""What organisations look like in the API, and which values it takes. Nothing is saved from here."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from backend.api.views import StrictFields
from backend.apps.authentication.models import User
from backend.apps.projects.membership_serializers import NamedUser
from backend.apps.projects.models import Organisation, OrganisationMembership


class OrganisationSerializer(StrictFields, serializers.ModelSerializer[Organisation]):
    """An organisation; its plan and whether it is active are set by operators."""

    slug = serializers.SlugField(max_length=100)

    class Meta:
        model = Organisation
        fields = ("id", "name", "slug", "plan", "is_active", "created_at", "updated_at")
        read_only_fields = ("id", "created_at", "updated_at")


class UsageSerializer(serializers.Serializer[Any]):
    """What an organisation uses of what its plan allows; null where it allows as much as wanted."""

    generations = serializers.IntegerField(help_text="Being generated now.")
    most_generations = serializers.IntegerField(allow_null=True)
    storage = serializers.IntegerField(help_text="Bytes of generations and archives.")
    most_storage = serializers.IntegerField(allow_null=True)


class OrganisationMemberSerializer(StrictFields, serializers.ModelSerializer[User]):
    """Somebody's place in an organisation."""

    user = serializers.UUIDField(source="pk", read_only=True)
    username = serializers.CharField(read_only=True)
    role = serializers.ChoiceField(choices=OrganisationMembership.Role.choices)

    class Meta:
        model = User
        fields = ("user", "username", "role")


class NewOrganisationMemberSerializer(NamedUser):
    """Who is to become a member, and as what."""

    role = serializers.ChoiceField(
        choices=OrganisationMembership.Role.choices, default=OrganisationMembership.Role.MEMBER
    )


class OrganisationRoleSerializer(StrictFields):
    """The role that a member is to have."""

    role = serializers.ChoiceField(choices=OrganisationMembership.Role.choices)
