"""What agents did, as JSON."""

from __future__ import annotations

from typing import ClassVar

from rest_framework import serializers

from backend.apps.agents.models import AgentAction


class AgentActionSerializer(serializers.ModelSerializer[AgentAction]):
    """One row of the audit trail."""

    user = serializers.CharField(source="user.username", read_only=True)

    class Meta:
        model = AgentAction
        fields: ClassVar = [
            *("id", "user", "via", "action", "project_id", "project_name", "about", "status", "error_code"),
            *("created_at", "completed_at"),
        ]
        read_only_fields = fields
