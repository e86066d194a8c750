"""The operations of an API as tool definitions, in the shape in which models are given tools.

Pure. `as_call` is the way back: what a model answered with, as the arguments of `AgentAPICaller.call`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from backend.errors import InvalidInput

LONGEST_NAME = 64
"""Characters of a tool's name: what the common model APIs take."""
BODY = "body"

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")


def as_tools(operations: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a tool definition for each operation of `discover_endpoints`; no two have one name."""
    taken: dict[str, int] = {}
    return [as_tool(operation, taken=taken) for operation in operations]


def as_tool(operation: Mapping[str, Any], *, taken: dict[str, int] | None = None) -> dict[str, Any]:
    """Return {name, description, parameters}; `parameters` is a JSON Schema of an object.

    Parameters of path and query stand by their names. The fields of a JSON body stand beside them where it is an object
    and no name is in both; otherwise the body is one parameter called `body`.
    """
    properties: dict[str, Any] = {}
    required: list[str] = []
    for each in _in_url(operation):
        properties[each["name"]] = _described(each.get("schema") or {}, each.get("description", ""))
        if each.get("required") or each["in"] == "path":
            required.append(each["name"])
    body = operation.get("body_schema")
    if body is not None:
        if _is_spread(operation):
            properties |= {name: schema for name, schema in body["properties"].items() if not _read_only(schema)}
            required += [name for name in body.get("required", []) if name in properties]
        else:
            properties[BODY] = body
            required.append(BODY)
    summary = str(operation.get("summary") or "").strip()
    return {
        "name": _name(operation, taken if taken is not None else {}),
        "description": f"{summary} ({operation['method']} {operation['path']})".strip(),
        "parameters": {"type": "object", "properties": properties, "required": required},
    }


def as_call(operation: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return method, endpoint, data and params of the call that a model asked for with a tool's arguments.

    Raises InvalidInput for a missing part of the path, and for an argument that the tool does not have.
    """
    endpoint = str(operation["path"])
    params: dict[str, Any] = {}
    rest = dict(arguments)
    for each in _in_url(operation):
        name = each["name"]
        if each["in"] == "path":
            if name not in rest:
                raise InvalidInput(f"The tool needs {name!r}.", field=name)
            endpoint = endpoint.replace(f"{{{name}}}", quote(str(rest.pop(name)), safe=""))
        elif name in rest:
            params[name] = rest.pop(name)
    data: Any = None
    if operation.get("body_schema") is not None:
        data, rest = (rest, {}) if _is_spread(operation) else (rest.pop(BODY, None), rest)
    if rest:
        raise InvalidInput(f"The tool has no {sorted(rest)[0][:60]!r}.", field=sorted(rest)[0][:60])
    return {"method": operation["method"], "endpoint": endpoint, "data": data, "params": params or None}


def _in_url(operation: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    # Headers and cookies are the caller's own business, and never a model's.
    return [each for each in operation.get("parameters", []) if each.get("in") in {"path", "query"}]


def _is_spread(operation: Mapping[str, Any]) -> bool:
    body = operation.get("body_schema")
    if not isinstance(body, Mapping) or not isinstance(body.get("properties"), Mapping):
        return False
    return not {each["name"] for each in _in_url(operation)} & body["properties"].keys()


def _read_only(schema: Any) -> bool:  # noqa: ANN401  (JSON)
    return isinstance(schema, Mapping) and bool(schema.get("readOnly"))


def _described(schema: Mapping[str, Any], description: str) -> dict[str, Any]:
    return {**schema, "description": description} if description else dict(schema)


def _name(operation: Mapping[str, Any], taken: dict[str, int]) -> str:
    said = operation.get("operation_id") or f"{operation['method']}_{operation['path']}"
    name = _NOT_IN_NAMES.sub("_", said).strip("_") or "call"
    if len(name) > LONGEST_NAME:
        name = f"{name[: LONGEST_NAME - 9]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    taken[name] = taken.get(name, 0) + 1
    return name if taken[name] == 1 else f"{name[: LONGEST_NAME - 4]}_{taken[name]}"
