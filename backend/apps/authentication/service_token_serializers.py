"""What service tokens look like in the API, and which values it takes. Nothing is saved from here."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from backend.api.views import StrictFields
from backend.apps.authentication.models import ServiceToken
from backend.apps.authentication.roles import Scope
from backend.apps.authentication.services.service_tokens import DEFAULT_DAYS, LONGEST_DAYS, NewToken

SCOPES = [(scope.value, scope.value) for scope in Scope]


class ServiceTokenSerializer(serializers.ModelSerializer[ServiceToken]):
    """A token, without its value."""

    scopes = serializers.ListField(child=serializers.ChoiceField(choices=SCOPES))
    project = serializers.UUIDField(source="project_id", allow_null=True)

    class Meta:
        model = ServiceToken
        fields = ("id", "name", "ending", "scopes", "project", "expires_at", "last_used_at", "created_at")


class MadeServiceTokenSerializer(serializers.Serializer[NewToken]):
    """A token that was just made, with its value."""

    token = serializers.CharField(source="value", read_only=True, help_text="Shown this once; it is not kept.")

    def to_representation(self, instance: NewToken) -> dict[str, Any]:
        """Put the value beside what is kept."""
        return {**ServiceTokenSerializer(instance.row).data, **super().to_representation(instance)}


class NewServiceTokenSerializer(StrictFields):
    """A token to be made."""

    name = serializers.CharField(max_length=100)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=SCOPES),
        allow_empty=True,
        max_length=len(SCOPES),
        help_text="Beside reading: write (projects, stories, files), run (executions, generations, exports), "
        "manage (members, hand over, delete).",
    )
    project = serializers.UUIDField(
        source="project_id", required=False, allow_null=True, help_text="The only project it is good for; else all."
    )
    expires_in_days = serializers.IntegerField(source="days", min_value=1, max_value=LONGEST_DAYS, default=DEFAULT_DAYS)
