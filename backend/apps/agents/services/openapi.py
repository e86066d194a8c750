"""Reads an OpenAPI document into the list of operations that an agent can be offered as tools.

Each operation stands by itself: references are replaced by what they refer to. The document comes from the own API's
origin, but its size is bounded all the same.
"""

from __future__ import annotations

from typing import Any

from backend.apps.agents.errors import APIError
from backend.apps.agents.services.answers import Json
from backend.apps.agents.services.endpoints import PREFIX

METHODS = ("get", "post", "put", "patch", "delete")
MOST_NODES = 500_000
"""JSON values of all operations together after references are replaced."""
DEEPEST = 60


def operations(document: Json) -> list[dict[str, Any]]:
    """Return the operations below /api/v1/: operation_id, method, path, summary, parameters and body_schema.

    `parameters` is a list of {name, in, required, description, schema}; `body_schema` is the JSON Schema of the JSON
    body, or None where there is none. Raises APIError when the document is no OpenAPI document.
    """
    if not isinstance(document, dict) or not isinstance(document.get("paths"), dict):
        raise APIError(
            "The answer is not an OpenAPI document.", hint="Check OPENAPI_PATH: it must name the API's description."
        )
    reader = _Reader(document)
    return [
        reader.operation(method=method, path=path, item=item)
        for path, item in document["paths"].items()
        if path.startswith(PREFIX) and isinstance(item, dict)
        for method in METHODS
        if isinstance(item.get(method), dict)
    ]


class _Reader:
    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._nodes = 0

    def operation(self, *, method: str, path: str, item: dict[str, Any]) -> dict[str, Any]:
        said = item[method]
        parameters = [self._plain(each) for each in [*item.get("parameters", []), *said.get("parameters", [])]]
        return {
            "operation_id": said.get("operationId", ""),
            "method": method.upper(),
            "path": path,
            "summary": said.get("summary") or str(said.get("description", "")).strip().partition("\n")[0],
            "parameters": [self._parameter(each) for each in parameters],
            "body_schema": self._body_schema(said.get("requestBody")),
        }

    def _parameter(self, said: dict[str, Any]) -> dict[str, Any]:
        return {
            "name": said.get("name", ""),
            "in": said.get("in", ""),
            "required": bool(said.get("required", False)),
            "description": said.get("description", ""),
            "schema": said.get("schema", {}),
        }

    def _body_schema(self, body: Json) -> Json:
        content = self._plain(body).get("content", {}) if isinstance(body, dict) else {}
        return content.get("application/json", {}).get("schema")

    def _plain(self, value: Json, *, seen: tuple[str, ...] = ()) -> Json:
        """Return a value with its references replaced; one that leads back into itself becomes an open object."""
        self._nodes += 1
        if self._nodes > MOST_NODES or len(seen) > DEEPEST:
            raise APIError("The API's description is too large to be read.")
        if isinstance(value, list):
            return [self._plain(each, seen=seen) for each in value]
        if not isinstance(value, dict):
            return value
        reference = value.get("$ref")
        if isinstance(reference, str):
            if reference in seen:
                return {"type": "object", "description": f"Again {reference.rpartition('/')[2]}."}
            return self._plain(self._target(reference), seen=(*seen, reference))
        return {name: self._plain(each, seen=seen) for name, each in value.items()}

    def _target(self, reference: str) -> Json:
        found: Json = self._document
        for part in reference.removeprefix("#/").split("/"):
            found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
        if found is None:
            raise APIError(f"The API's description refers to {reference[:200]!r}, which it does not hold.")
        return found
