"""Operations of an API as tools for a model, and the way back."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from backend.apps.agents.services.tool_definitions import LONGEST_NAME, as_call, as_tool, as_tools
from backend.errors import InvalidInput

STORY = {
    "operation_id": "projects_stories_create",
    "method": "POST",
    "path": "/api/v1/projects/{project_id}/stories/",
    "summary": "Create a story",
    "parameters": [
        {"name": "project_id", "in": "path", "required": True, "description": "Which.", "schema": {"type": "string"}},
        {"name": "notify", "in": "query", "required": False, "description": "", "schema": {"type": "boolean"}},
        {"name": "Idempotency-Key", "in": "header", "required": False, "description": "", "schema": {}},
    ],
    "body_schema": {
        "type": "object",
        "properties": {"id": {"type": "string", "readOnly": True}, "title": {"type": "string"}},
        "required": ["id", "title"],
    },
}
BULK = {**STORY, "operation_id": "bulk", "body_schema": {"type": "array", "items": {"type": "string"}}}


def test_a_tool_has_a_name_a_description_and_a_schema() -> None:
    tool = as_tool(STORY)
    assert tool == {
        "name": "projects_stories_create",
        "description": "Create a story (POST /api/v1/projects/{project_id}/stories/)",
        "parameters": {
            "type": "object",
            "properties": {
                "project_id": {"type": "string", "description": "Which."},
                "notify": {"type": "boolean"},
                "title": {"type": "string"},
            },
            "required": ["project_id", "title"],
        },
    }
    jsonschema.Draft202012Validator.check_schema(tool["parameters"])


@pytest.mark.parametrize(
    ("operation", "arguments", "call"),
    [
        (
            STORY,
            {"project_id": "p/1", "title": "T", "notify": True},
            {"endpoint": "/api/v1/projects/p%2F1/stories/", "data": {"title": "T"}, "params": {"notify": True}},
        ),
        (
            BULK,
            {"project_id": "p", "body": ["a"]},
            {"endpoint": "/api/v1/projects/p/stories/", "data": ["a"], "params": None},
        ),
        (
            {**STORY, "method": "GET", "body_schema": None},
            {"project_id": "p"},
            {"endpoint": "/api/v1/projects/p/stories/", "data": None, "params": None},
        ),
    ],
)
def test_what_a_model_asked_for_becomes_a_call(operation: Any, arguments: Any, call: Any) -> None:
    assert as_call(operation, arguments) == {"method": operation["method"], **call}


def test_a_body_whose_names_clash_stays_one_parameter() -> None:
    body = {"type": "object", "properties": {"project_id": {"type": "string"}}}
    tool = as_tool({**STORY, "body_schema": body})
    assert tool["parameters"]["properties"]["body"] == body
    assert as_call({**STORY, "body_schema": body}, {"project_id": "p", "body": {"project_id": "q"}})["data"] == {
        "project_id": "q"
    }


@pytest.mark.parametrize(("arguments", "field"), [({"title": "T"}, "project_id"), ({"project_id": "p", "x": 1}, "x")])
def test_arguments_that_do_not_fit_are_named(arguments: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        as_call({**STORY, "body_schema": None}, arguments)
    assert caught.value.place["field"] in {field, "title"}


def test_names_are_short_allowed_and_different() -> None:
    said = ["a b/c", "a_b_c", "x" * 100, "x" * 99 + "y", "", "é"]
    names = [tool["name"] for tool in as_tools({**STORY, "operation_id": each} for each in said)]
    assert len(set(names)) == len(names)
    assert all(
        name and len(name) <= LONGEST_NAME and name.replace("_", "").replace("-", "").isalnum() for name in names
    )
    assert names[:2] == ["a_b_c", "a_b_c_2"]
