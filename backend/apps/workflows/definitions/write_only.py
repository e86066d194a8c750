"""Which inputs are given and never shown again. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def shown_inputs(inputs: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs without those that are `writeOnly`. schema: of a workflow's inputs."""
    described = schema.get("properties")
    properties = described if isinstance(described, Mapping) else {}
    return {name: value for name, value in inputs.items() if not _is_write_only(properties.get(name))}


def _is_write_only(schema: Any) -> bool:  # noqa: ANN401  (a schema may be true or false)
    return isinstance(schema, Mapping) and schema.get("writeOnly") is True
