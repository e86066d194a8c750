"""`repomill schema`, and the schema that is published with the documentation."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from backend.apps.workflows import step_types
from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.definitions.published import published_schema, with_expressions
from backend.apps.workflows.errors import InvalidDefinition
from backend.apps.workflows.step_types import Link, StepType
from backend.cli.app import main

ROOT = Path(__file__).resolve().parents[3]
PUBLISHED = ROOT / "docs" / "workflow.schema.json"
EXAMPLES = sorted((ROOT / "examples").glob("*/workflow.yaml"))


def published() -> Draft202012Validator:
    schema = json.loads(PUBLISHED.read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_the_published_schema_is_current():
    assert json.loads(PUBLISHED.read_text("utf-8")) == published_schema(), (
        "Write it anew: repomill schema --output docs/workflow.schema.json"
    )


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_the_examples_fit(path: Path):
    published().validate(yaml.safe_load(path.read_text("utf-8")))


def base() -> dict[str, Any]:
    return {
        "name": "demo",
        "inputs": {"properties": {"items": {"type": "array"}, "on": {"type": "boolean"}}},
        "steps": [
            {"id": "a", "type": "api_call", "config": {"method": "GET", "endpoint": "/projects/"}},
            {
                "id": "b",
                "type": "repo_creation",
                "each": "${{ inputs.items }}",
                "max_parallel": 3,
                "config": {"export_type": "zip", "readme": "# ${{ item }}"},
            },
        ],
    }


def changed(*path: str | int, to: Any) -> dict[str, Any]:
    data = copy.deepcopy(base())
    at: Any = data
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = to
    return data


GOOD = {
    "as it is": base(),
    "an expression for a word": changed("steps", 0, "config", "method", to="${{ inputs.on }}"),
    "an expression for an object": changed("steps", 0, "config", "data", to="${{ inputs.items }}"),
    "an expression for a list": changed("steps", 1, "config", "gitignore", to="${{ inputs.items }}"),
    "an expression within a list": changed("steps", 1, "config", "files", to=["${{ item }}"]),
    "an expression for a truth value": changed(
        "steps", 1, "config", "files", to=[{"path": "x", "executable": "${{ inputs.on }}"}]
    ),
    "an expression in a name": changed("steps", 1, "config", "structure", to={"${{ item }}.md": "x"}),
    "an expression for a name of the type's": changed(
        "steps", 0, "config", to={"method": "GET", "endpoint": "/", "${{ inputs.on }}": 1}
    ),
}
WRONG = {
    "no name": {"steps": base()["steps"]},
    "no steps": changed("steps", to=[]),
    "an unknown step type": changed("steps", 0, "type", to="api_cal"),
    "an unknown key": changed("steps", 0, "conditon", to="${{ inputs.on }}"),
    "a condition that is no expression": changed("steps", 0, "condition", to="always"),
    "a list that is no expression": changed("steps", 1, "each", to="all"),
    "no list to be parallel over": changed("steps", 0, "max_parallel", to=3),
    "too many at once": changed("steps", 1, "max_parallel", to=101),
    "a wrong word": changed("steps", 0, "config", "method", to="FETCH"),
    "another type's config": changed("steps", 0, "config", to={"readme": "x"}),
    "a missing config": {"name": "x", "steps": [{"id": "a", "type": "api_call"}]},
    "a number for a text": changed("steps", 1, "config", "readme", to=1),
    "a wrong key within a list": changed("steps", 1, "config", "files", to=[{"pth": "x"}]),
    "neither host nor archive": changed("steps", 1, "config", to={"readme": "x"}),
    "an id with a space": changed("steps", 0, "id", to="a b"),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_right_fits_the_schema_and_the_check(name: str):
    published().validate(GOOD[name])
    check_definition(GOOD[name])


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_fits_neither(name: str):
    assert not published().is_valid(WRONG[name])
    with pytest.raises(InvalidDefinition):
        check_definition(WRONG[name])


def test_everything_that_can_be_written_is_described():
    step = json.loads(PUBLISHED.read_text("utf-8"))["properties"]["steps"]["items"]
    assert all(each.get("description") for name, each in step["properties"].items() if name != "id")


def test_a_step_type_of_another_package_is_folded_in(monkeypatch):
    monkeypatch.setattr(step_types, "_registered", dict(step_types._registered))
    schema = {
        "type": "object",
        "properties": {"tree": {"$ref": "#/$defs/tree"}},
        "$defs": {"tree": {"type": "object", "additionalProperties": {"$ref": "#/$defs/tree"}}},
    }
    step_types.register(StepType("plant", schema, lambda config: [Link("other.plant", config)]))
    validator = Draft202012Validator(published_schema())

    def step(config: Any) -> dict[str, Any]:
        return {"name": "x", "steps": [{"id": "a", "type": "plant", "config": config}]}

    assert validator.is_valid(step({"tree": {"oak": {}, "elm": "${{ inputs.elm }}"}}))
    assert not validator.is_valid(step({"tree": {"oak": {"twig": 1}}}))


def test_alternatives_may_both_fit_an_expression():
    schema = with_expressions(
        {
            "oneOf": [{"properties": {"n": {"type": "integer"}}}, {"properties": {"n": {"type": "boolean"}}}],
            "prefixItems": [True],
            "if": {"required": ["n"]},
            "then": {"properties": {"m": {"enum": [1]}}},
        }
    )
    validator = Draft202012Validator(schema)
    assert validator.is_valid({"n": "${{ inputs.n }}", "m": "${{ inputs.m }}"})
    assert not validator.is_valid({"n": "text"})
    assert not validator.is_valid({"n": 1, "m": 2})


def test_the_command(capsys, tmp_path: Path):
    def run(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(["schema", *arguments])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out + printed.err

    code, out = run()
    assert (code, json.loads(out)) == (0, published_schema())
    code, out = run("--output", str(tmp_path / "it.json"))
    assert code == 0
    assert (tmp_path / "it.json").read_text("utf-8") == PUBLISHED.read_text("utf-8")
    code, out = run("--output", str(tmp_path / "missing" / "it.json"))
    assert code == 3
    assert "cannot be written" in out
