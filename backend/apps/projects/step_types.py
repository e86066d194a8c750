"""Step types of the `projects` app."""

from __future__ import annotations

from typing import Any

from backend.apps.workflows.step_types import Link, StepType, register
from backend.errors import InvalidInput

CONTENT_KEYS = ("structure", "files", "templates", "gitignore", "readme")

CONTENT_PROPERTIES: dict[str, Any] = {
    "structure": {"type": "object", "description": "Directories as objects, files as texts."},
    "files": {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["path"],
            "additionalProperties": False,
            "properties": {
                "path": {"type": "string", "minLength": 1},
                "content": {"type": "string"},
                "template": {"type": "string"},
                "context": {"type": "object"},
                "encoding": {"type": "string"},
                "executable": {"type": "boolean"},
            },
        },
    },
    "templates": {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["output_path"],
            "additionalProperties": False,
            "properties": {
                "output_path": {"type": "string", "minLength": 1},
                "template": {"type": "string", "description": "A Django template."},
                "template_path": {"type": "string", "description": "The name of a template of this installation."},
                "context": {"type": "object"},
            },
        },
    },
    "gitignore": {"type": "array", "items": {"type": "string"}},
    "readme": {"type": "string"},
}
"""What a step can generate, as JSON Schema properties."""


def content_of(config: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a step's config that says what to generate."""
    return {name: config[name] for name in CONTENT_KEYS if name in config}


def _links(config: dict[str, Any]) -> list[Link]:
    content = content_of(config)
    if "file_path" in config:
        if content:
            raise InvalidInput(
                "Give either file_path, for one file, or a structure.", field="file_path", expected="one of them"
            )
        content = {"files": [{"path": config["file_path"], "content": config.get("content", "")}]}
    if not content:
        wanted = "one of " + ", ".join(CONTENT_KEYS)
        raise InvalidInput("There is nothing to generate.", field="config", expected=wanted)
    return [Link("generation.generate", content)]


FILE_GENERATION = register(
    StepType(
        name="file_generation",
        config_schema={
            "type": "object",
            "additionalProperties": False,
            "properties": {
                **CONTENT_PROPERTIES,
                "file_path": {"type": "string", "minLength": 1, "description": "One file, with content."},
                "content": {"type": "string"},
            },
            "dependentRequired": {"file_path": ["content"], "content": ["file_path"]},
        },
        links=_links,
    )
)
