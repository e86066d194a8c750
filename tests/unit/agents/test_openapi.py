"""How an OpenAPI document becomes a list of tools."""

from __future__ import annotations

from typing import Any

import pytest

from backend.apps.agents.errors import APIError
from backend.apps.agents.services import openapi

DOCUMENT: dict[str, Any] = {
    "openapi": "3.0.3",
    "paths": {
        "/api/v1/things/{id}/": {
            "parameters": [{"$ref": "#/components/parameters/Id"}],
            "patch": {
                "operationId": "things_change",
                "description": "Change a thing.\n\nAt length.",
                "parameters": [{"name": "dry", "in": "query", "schema": {"type": "boolean"}}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
            },
            "get": {"operationId": "things_get", "summary": "Get a thing"},
        },
        "/healthz": {"get": {"operationId": "healthz"}},
        "/api/v1/broken/": None,
    },
    "components": {
        "parameters": {"Id": {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}},
        "schemas": {
            "Thing": {
                "type": "object",
                "properties": {
                    "part": {"$ref": "#/components/schemas/Thing"},
                    "kind": {"$ref": "#/components/schemas/a~1b"},
                },
            },
            "a/b": {"enum": ["x", "y"]},
        },
    },
}


def test_operations_stand_by_themselves() -> None:
    get, patch = openapi.operations(DOCUMENT)
    path = {"name": "id", "in": "path", "required": True, "description": "", "schema": {"type": "string"}}
    assert get == {
        "operation_id": "things_get",
        "method": "GET",
        "path": "/api/v1/things/{id}/",
        "summary": "Get a thing",
        "parameters": [path],
        "body_schema": None,
    }
    assert patch["summary"] == "Change a thing."
    assert [each["name"] for each in patch["parameters"]] == ["id", "dry"]
    assert patch["body_schema"] == {
        "type": "object",
        "properties": {"part": {"type": "object", "description": "Again Thing."}, "kind": {"enum": ["x", "y"]}},
    }


@pytest.mark.parametrize("document", [{}, [], None, {"paths": []}])
def test_other_documents_are_errors(document: Any) -> None:
    with pytest.raises(APIError, match="not an OpenAPI document"):
        openapi.operations(document)


def test_a_reference_to_nothing_is_an_error() -> None:
    paths = {"/api/v1/a/": {"get": {"parameters": [{"$ref": "#/components/none"}]}}}
    with pytest.raises(APIError, match="does not hold"):
        openapi.operations({"paths": paths})


def test_references_that_multiply_are_bounded() -> None:
    schemas: dict[str, Any] = {
        f"S{number}": {"allOf": [{"$ref": f"#/components/schemas/S{number + 1}"}] * 10} for number in range(12)
    }
    schemas["S12"] = {"type": "string"}
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/S0"}}}}
    document = {"paths": {"/api/v1/a/": {"post": {"requestBody": body}}}, "components": {"schemas": schemas}}
    with pytest.raises(APIError, match="too large"):
        openapi.operations(document)
