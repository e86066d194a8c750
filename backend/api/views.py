"""The base of the API's view sets: what every endpoint has without asking for it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.viewsets import GenericViewSet

from backend.api.idempotency import HonoursKeys


class ApiViewSet(HonoursKeys, GenericViewSet[Any]):
    """A view set with tokens, problem details, numbered pages, strict JSON and idempotency keys."""


class StrictFields(serializers.Serializer[Any]):
    """A serializer that refuses fields it does not know: a misspelt name must not be lost without a word."""

    def to_internal_value(self, data: Any) -> Any:  # noqa: ANN401  (as in Serializer)
        """Return the validated values; read-only fields are ignored, so that what was read can be sent back."""
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, dict) else []
        if unknown:
            known = ", ".join(name for name, field in self.fields.items() if not field.read_only)
            message = f"There is no such field. The fields are: {known}."
            raise serializers.ValidationError({str(name): [message] for name in unknown}, code="unknown_field")
        return super().to_internal_value(data)
