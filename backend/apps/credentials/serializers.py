"""What credentials look like in the API, and which values it takes. A secret goes in and never comes out."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from backend.api.views import StrictFields
from backend.apps.credentials.models import Credential
from backend.apps.credentials.secret import LARGEST_SECRET

CHECK = "Ask the host first whether it accepts the secret; what it rejects is not kept."


class CredentialSerializer(serializers.ModelSerializer[Credential]):
    """A credential, without its secret."""

    owner = serializers.CharField(source="owner.username", read_only=True)
    own = serializers.SerializerMethodField(help_text="Whether it is yours to change; else it is shared with you.")
    project = serializers.UUIDField(source="project_id", read_only=True, allow_null=True)
    scopes = serializers.ListField(
        child=serializers.CharField(), allow_null=True, read_only=True, help_text="Null where the host does not say."
    )

    class Meta:
        model = Credential
        fields = (
            "id",
            "name",
            "host",
            "base_url",
            "username",
            "owner",
            "own",
            "project",
            "account",
            "scopes",
            "expires_at",
            "last_checked_at",
            "last_used_at",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields

    def get_own(self, credential: Credential) -> bool:
        """Return whether it is the user's own."""
        return bool(credential.owner_id == self.context["request"].user.pk)


class SecretSerializer(StrictFields):
    """A secret."""

    value = serializers.CharField(
        write_only=True, trim_whitespace=False, max_length=LARGEST_SECRET, style={"input_type": "password"}
    )
    check_with_host = serializers.BooleanField(default=False, help_text=CHECK)


class NewCredentialSerializer(SecretSerializer):
    """A credential to be kept."""

    name = serializers.CharField(max_length=63, help_text="A word in lower case, such as acme-bot.")
    host = serializers.ChoiceField(choices=Credential.Host.choices)
    base_url = serializers.CharField(
        max_length=1000, required=False, allow_null=True, help_text="The address of a server of your own."
    )
    username = serializers.CharField(
        max_length=100, required=False, allow_null=True, help_text="What goes with the secret in git over https."
    )
    project = serializers.UUIDField(required=False, allow_null=True, help_text="Whose members may use it too.")


class SharingSerializer(StrictFields):
    """With whom a credential is shared."""

    project = serializers.UUIDField(allow_null=True, help_text="Whose members may use it too; null: nobody's.")


class ConcernSerializer(serializers.Serializer[Any]):
    """Something that a person should see to."""

    code = serializers.CharField()
    message = serializers.CharField()


class FindingSerializer(serializers.Serializer[Any]):
    """What a host said of a credential."""

    asked = serializers.BooleanField(help_text="False for a host without an API, which cannot be asked.")
    account = serializers.CharField(allow_blank=True)
    scopes = serializers.ListField(child=serializers.CharField(), allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    concerns = ConcernSerializer(many=True)
