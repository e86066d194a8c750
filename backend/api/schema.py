"""What drf-spectacular cannot see by itself: problem details, the Idempotency-Key header, strict bodies."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from backend.api.errors import MEDIA_TYPE
from backend.api.idempotency import HEADER, METHODS, HonoursKeys
from backend.api.idempotency_keys import LONGEST_KEY

PROBLEM = {
    "type": "object",
    "description": "What went wrong, as RFC 9457 says it.",
    "required": ["type", "title", "status", "detail", "code", "instance"],
    "properties": {
        "type": {"type": "string", "description": "Names the kind of problem."},
        "title": {"type": "string", "description": "The status in words."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened, for a person."},
        "code": {"type": "string", "description": "What happened, for a program; stable."},
        "instance": {"type": "string", "description": "The path that was asked for."},
        "hint": {"type": "string", "description": "What to do next."},
        "errors": {
            "type": "array",
            "description": "What is wrong with which field.",
            "items": {
                "type": "object",
                "required": ["field", "message", "code"],
                "properties": {
                    "field": {"type": "string"},
                    "message": {"type": "string"},
                    "code": {"type": "string"},
                },
            },
        },
    },
    "additionalProperties": True,
}

KEY_PARAMETER = OpenApiParameter(
    name=HEADER,
    type={"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
    location=OpenApiParameter.HEADER,
    description=(
        "Makes the request safe to repeat for 24 hours: the same key with the same request gets the first answer again "
        "(with `Idempotency-Replayed: true`), and nothing is done twice."
    ),
)


class Schema(AutoSchema):
    """Describes a view; the methods that honour Idempotency-Key show it."""

    def get_override_parameters(self) -> list[Any]:
        """Return the header's description for the methods that honour it."""
        honours = self.method in METHODS and isinstance(self.view, HonoursKeys)
        return [KEY_PARAMETER] if honours else []


def add_problems(result: dict[str, Any], generator: object, request: object, public: bool) -> dict[str, Any]:  # noqa: ARG001
    """Give every operation problem details as its answer for errors; a hook of drf-spectacular."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    answer = {
        "description": "An error, as problem details.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for item in result.get("paths", {}).values():
        for operation in item.values():
            if isinstance(operation, dict) and "responses" in operation:
                operation["responses"].setdefault("default", answer)
    return result


class StrictBody(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]  # it registers itself
    """Says of a serializer that refuses fields it does not know that there are no others."""

    target_class = "backend.api.views.StrictFields"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> Any:  # noqa: ANN401  (drf-spectacular's signature)
        """Return the schema of the serializer."""
        found = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        if found.get("type") == "object":
            found["additionalProperties"] = False
        return found
