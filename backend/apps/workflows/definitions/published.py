"""The JSON Schema of definitions for editors: with the installed step types, and with room for expressions.

It is for writing. What decides is `check_definition`, which also knows the steps' graph and what expressions may read.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from backend.apps.workflows import step_types
from backend.apps.workflows.definitions.schema import DEFINITION_SCHEMA

SOME_EXPRESSION = {"type": "string", "pattern": r"\$\{\{"}
WHOLE_EXPRESSION = r"^\$\{\{[\s\S]*\}\}$"

# Keywords whose value is a mapping of names to schemas, a schema, or a list of schemas: of a part of the value...
_NAMED = ("properties", "patternProperties")
_SINGLE = ("items", "additionalProperties", "contains", "unevaluatedItems", "unevaluatedProperties")
_LISTED = ("prefixItems",)
# ... or of the same value.
_SAME_LISTED = ("allOf", "anyOf", "oneOf")
_SAME_SINGLE = ("then", "else")


def published_schema() -> dict[str, Any]:
    """Return the JSON Schema of definitions, with the config of each installed step type."""
    schema = copy.deepcopy(DEFINITION_SCHEMA)
    step = schema["properties"]["steps"]["items"]
    properties = step["properties"]
    properties["type"]["enum"] = step_types.names()
    for name in ("condition", "each"):
        properties[name]["pattern"] = WHOLE_EXPRESSION
    step["allOf"] = [_of_type(name) for name in step_types.names()]
    return schema


def _of_type(name: str) -> dict[str, Any]:
    step_type = step_types.get(name)
    config = with_expressions(step_type.config_schema if step_type else {})
    if "$ref" in str(config):
        # References are to its own root, which it keeps as a resource of its own.
        config = {"$id": f"urn:repomill:step-type:{name}", **config}
    then: dict[str, Any] = {"properties": {"config": config}}
    if config.get("required"):
        then["required"] = ["config"]
    return {"if": {"properties": {"type": {"const": name}}, "required": ["type"]}, "then": then}


def with_expressions(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of values in which a text with an expression may stand for any part, and be part of any name.

    What stands below `not` and `if` is left as it is. `oneOf` becomes `anyOf`: an expression may be either.
    """
    loose: dict[str, Any] = {}
    for keyword, value in schema.items():
        if keyword in (*_NAMED, "$defs"):
            loose[keyword] = {name: _part(part, whole=keyword == "$defs") for name, part in value.items()}
        elif keyword in _SINGLE:
            loose[keyword] = _part(value)
        elif keyword in _LISTED:
            loose[keyword] = [_part(part) for part in value]
        elif keyword in _SAME_SINGLE:
            loose[keyword] = _part(value, whole=True)
        elif keyword in _SAME_LISTED:
            name = "anyOf" if keyword == "oneOf" else keyword
            loose.setdefault("allOf", [])
            loose["allOf"].append({name: [_part(part, whole=True) for part in value]})
        else:
            loose[keyword] = copy.deepcopy(value)
    if loose.get("additionalProperties") is False:
        loose["patternProperties"] = {**loose.get("patternProperties", {}), SOME_EXPRESSION["pattern"]: True}
    return loose


def _part(schema: Any, *, whole: bool = False) -> Any:  # noqa: ANN401  (a schema is a mapping or a boolean)
    if not isinstance(schema, Mapping):
        return schema
    loose = with_expressions(schema)
    if whole or _takes_any_text(schema):
        return loose
    # What editors show stays outside, where they look for it.
    shown = {name: loose.pop(name) for name in ("title", "description", "default", "examples") if name in loose}
    return {**shown, "anyOf": [loose, SOME_EXPRESSION]}


def _takes_any_text(schema: Mapping[str, Any]) -> bool:
    return not set(schema) - {"type", "title", "description", "default", "examples", "minLength"} and (
        schema.get("type", "string") == "string" or "string" in schema["type"]
    )
