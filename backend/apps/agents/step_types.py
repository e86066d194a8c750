"""Step types of the `agents` app."""

from __future__ import annotations

from backend.apps.workflows.step_types import Link, StepType, register

API_CALL = register(
    StepType(
        name="api_call",
        config_schema={
            "type": "object",
            "required": ["method", "endpoint"],
            "additionalProperties": False,
            "properties": {
                "method": {"enum": ["GET", "POST", "PUT", "PATCH", "DELETE"]},
                "endpoint": {"type": "string", "minLength": 1, "description": "A path below /api/v1/."},
                "data": {"type": ["object", "array", "null"], "description": "The request's JSON body."},
                "params": {"type": ["object", "null"], "description": "The query's parameters."},
            },
        },
        links=lambda config: [Link("agents.call", config)],
    )
)
