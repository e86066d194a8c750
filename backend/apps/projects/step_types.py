"""Step types of the `projects` app."""

from __future__ import annotations

from typing import Any

from backend.apps.workflows.step_types import Link, StepType, register
from backend.errors import InvalidInput

CONTENT_KEYS = ("structure", "files", "templates", "gitignore", "readme", "remove")
_ATTRIBUTES = ("encoding", "executable")

CONTENT_PROPERTIES: dict[str, Any] = {
    "structure": {
        "type": "object",
        "description": "Directories as objects, files as texts; a list is a directory of empty files."
        ' What a text cannot say: {"content": ..., "encoding": "base64", "executable": true}.',
    },
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
                "encoding": {"type": "string", "description": "A text encoding, or base64; utf-8 by default."},
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
                "encoding": {"type": "string"},
                "executable": {"type": "boolean"},
            },
        },
    },
    "gitignore": {"type": "array", "items": {"type": "string"}},
    "readme": {"type": "string"},
    "based_on": {
        "type": "string",
        "minLength": 1,
        "description": "An earlier generation of the project whose files this one begins with: its id, or latest.",
    },
    "remove": {
        "type": "array",
        "items": {"type": "string", "minLength": 1},
        "description": "Files and directories that are there and are to go.",
    },
}
"""What a step can generate, as JSON Schema properties."""


def content_of(config: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a step's config that says what to generate, and what it begins with."""
    return {name: config[name] for name in (*CONTENT_KEYS, "based_on") if name in config}


def _links(config: dict[str, Any]) -> list[Link]:
    content = content_of(config)
    if "file_path" in config:
        if content.keys() - {"based_on", "remove"}:
            raise InvalidInput(
                "Give either file_path, for one file, or a structure.", field="file_path", expected="one of them"
            )
        one = {"path": config["file_path"], "content": config.get("content", "")}
        content["files"] = [{**one, **{name: config[name] for name in _ATTRIBUTES if name in config}}]
    if not content.keys() & set(CONTENT_KEYS):
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
                "encoding": {"type": "string"},
                "executable": {"type": "boolean"},
            },
            "dependentRequired": {
                "file_path": ["content"],
                "content": ["file_path"],
                "encoding": ["file_path"],
                "executable": ["file_path"],
            },
        },
        links=_links,
        generates=True,
    )
)
