"""What a schema of inputs may refer to: itself, and JSON Schema's own. Nothing is fetched, and nothing falls over."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.definitions.schema import check, check_schema, check_with_expressions, faults
from backend.apps.workflows.errors import InvalidDefinition


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    """Give the address of a server that has a schema, and what it was asked for."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"type": "integer"}')

        def log_message(self, *arguments: Any) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/schema.json", paths
    server.shutdown()
    server.server_close()
    thread.join()


def test_what_a_schema_names_is_never_fetched(asked):
    address, paths = asked
    stored = {"properties": {"a": {"$ref": address}}}
    for checked in (check, check_with_expressions):
        misfit = checked({"a": 1}, stored)
        assert misfit is not None
        assert misfit.expected == f"$ref: {address}"
    assert [misfit.message for misfit in faults({"a": 1}, stored)] == ["The schema refers to what it does not hold"]
    assert paths == []


@pytest.mark.parametrize(
    "reference",
    [
        *("http://127.0.0.1:9/x.json", "file:///etc/hostname", "http://[", "#/nowhere", "#anchor", "#/%zz"),
        *("#/$ref", "#/properties/b/enum/0", "https://json-schema.org/draft/2020-12/schema#/nowhere"),
    ],
)
@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef"])
def test_a_definition_whose_inputs_refer_to_what_they_do_not_hold_is_refused(keyword, reference):
    inputs = {"properties": {"a": {keyword: reference}, "b": {"enum": [{"type": 5}]}}, keyword: reference}
    with pytest.raises(InvalidDefinition, match="leads to no schema in here") as refused:
        check_definition({"name": "one", "inputs": inputs, "steps": [{"id": "a", "type": "api_call"}]})
    assert refused.value.place["path"] == "inputs"


@pytest.mark.parametrize(
    "schema",
    [
        {"$defs": {"one": {"type": "integer"}}, "properties": {"a": {"$ref": "#/$defs/one"}}},
        {"definitions": {"one": {"type": "integer"}}, "properties": {"a": {"$ref": "#/definitions/one"}}},
        {"x-own": {"one": {"type": "integer"}}, "properties": {"a": {"$ref": "#/x-own/one"}}},
        {"$defs": {"one": {"$anchor": "me", "type": "integer"}}, "properties": {"a": {"$ref": "#me"}}},
        {"$defs": {"one": {"$id": "urn:one", "type": "integer"}}, "properties": {"a": {"$ref": "urn:one"}}},
        {"properties": {"a": {"$ref": "https://json-schema.org/draft/2020-12/schema"}}},
        {"properties": {"a": {"type": "integer"}, "more": {"$ref": "#"}}},
    ],
)
def test_what_a_schema_holds_and_json_schemas_own_may_be_referred_to(schema):
    assert check_schema(schema) is None
    misfit = check({"a": "text"}, schema)
    assert misfit is not None
    assert misfit.path == ("a",)


def test_data_is_no_reference():
    schema = {"properties": {"$ref": {"type": "string"}, "a": {"const": {"$ref": "http://127.0.0.1:9/"}}}}
    assert check_schema(schema) is None
    assert check({"$ref": "x", "a": {"$ref": "http://127.0.0.1:9/"}}, schema) is None


def test_a_reference_in_what_is_referred_to_is_looked_at_too():
    schema = {"x-own": {"one": {"items": {"$ref": "#/nowhere"}}}, "properties": {"a": {"$ref": "#/x-own/one"}}}
    misfit = check_schema(schema)
    assert misfit is not None
    assert misfit.message == "'#/nowhere' leads to no schema in here"


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"properties": {"a": {"$id": "http://[", "$ref": "x"}}}, "An $id in the schema is no address"),
        ({"properties": {"a": {"pattern": "(" * 3000 + ")" * 3000}}}, "The schema is nested too deeply"),
    ],
)
def test_a_schema_that_the_check_itself_stumbles_over_is_refused(schema, said):
    misfit = check_schema(schema)
    assert misfit is not None
    assert misfit.message == said


@pytest.mark.parametrize("circle", [{"$ref": "#"}, {"properties": {"a": {"$ref": "#/properties/a"}}}])
def test_a_circle_of_references_ends(circle):
    misfit = check({"a": 1}, circle)
    assert misfit is not None
    assert misfit.message == "The value and the schema are nested too deeply"
