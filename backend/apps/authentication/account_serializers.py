"""What the user's own account looks like in the API, and which values it takes. Nothing is saved from here."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from backend.api.views import StrictFields
from backend.apps.authentication.models import User
from backend.apps.authentication.roles import Scope, is_operator


class GrantSerializer(serializers.Serializer[Any]):
    """What a service token is good for."""

    scopes = serializers.ListField(child=serializers.ChoiceField(choices=[(each.value, each.value) for each in Scope]))
    project = serializers.UUIDField(allow_null=True)


class AccountSerializer(StrictFields, serializers.ModelSerializer[User]):
    """The account of whoever asks."""

    operator = serializers.SerializerMethodField(help_text="Whether you may do everything in this installation.")
    token = serializers.SerializerMethodField(help_text="What the service token you came with is good for, if any.")

    class Meta:
        model = User
        fields = ("id", "username", "first_name", "last_name", "email", "operator", "token", "date_joined")
        read_only_fields = ("id", "username", "date_joined")

    def get_operator(self, user: User) -> bool:
        """Return whether the user may do everything."""
        return is_operator(user)

    @extend_schema_field(GrantSerializer(allow_null=True))
    def get_token(self, user: User) -> dict[str, Any] | None:
        """Return what the token is good for."""
        if user.grant is None:
            return None
        return GrantSerializer({"scopes": sorted(user.grant.scopes), "project": user.grant.project_id}).data


class PasswordSerializer(StrictFields):
    """An old password and a new one."""

    old_password = serializers.CharField(max_length=1000, trim_whitespace=False, write_only=True)
    new_password = serializers.CharField(max_length=1000, trim_whitespace=False, write_only=True)


class RefreshTokenSerializer(StrictFields):
    """A refresh token."""

    refresh = serializers.CharField(max_length=5000, write_only=True)
