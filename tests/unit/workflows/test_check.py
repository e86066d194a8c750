"""Checking a definition before anything is stored."""

from pathlib import Path

import pytest

from backend.apps.workflows.definitions.check import check_definition, read_definition, read_definition_file
from backend.apps.workflows.errors import InvalidDefinition
from backend.errors import InvalidInput

GOOD = """\
name: demo
inputs:
  type: object
  properties: {name: {type: string}}
steps:
  - id: first
    type: api_call
    config: {method: POST, endpoint: "/projects/"}
  - id: second
    type: file_generation
    condition: ${{ inputs.name != '' }}
    config: {readme: "${{ steps.first.result.id }}"}
outputs: {id: "${{ steps.second.result.commit }}"}
"""


def test_a_good_definition():
    definition = read_definition(GOOD)

    assert [step.id for step in definition.steps] == ["first", "second"]
    assert definition.steps[1].depends_on == ("first",)
    assert definition.steps[0].max_retries == 10
    assert definition.step("second").condition == "${{ inputs.name != '' }}"
    assert definition.digest == read_definition(GOOD + "# a comment changes nothing\n").digest


@pytest.mark.parametrize(
    ("old", "new", "line", "path", "words"),
    [
        ("name: demo", "name: Demo X", 1, "name", "right form"),
        ("name: demo\n", "", 1, "the whole", "'name' is missing"),
        ("type: api_call", "type: api_cal", 7, "steps[0].type", "did you mean 'api_call'?"),
        ("type: api_call", "type: nonsense", 7, "steps[0].type", "no step type"),
        ("method: POST", "method: FETCH", 8, "steps[0].config.method", "not allowed"),
        ("method: POST", "methd: POST", 8, "steps[0].config.methd", "did you mean 'method'?"),
        ("condition:", "conditon:", 11, "steps[1].conditon", "did you mean 'condition'?"),
        ("id: second", "id: first", 9, "steps[1].id", "Two steps"),
        ("id: second", "id: second\n    depends_on: [frist]", 10, "steps[1].depends_on[0]", "did you mean 'first'?"),
        ("id: first", "id: first\n    depends_on: [second]", 7, "steps[0].depends_on", "waits for itself"),
        ("inputs.name != ''", "inputs.nome != ''", 11, "steps[1].condition", "unknown reference"),
        ("${{ inputs.name != '' }}", "always", 11, "steps[1].condition", "not one expression"),
        ("steps.first.result.id", "steps.later.result.id", 12, "steps[1].config.readme", "unknown reference"),
        ("steps.second.result", "steps.third.result", 13, "outputs.id", "unknown reference"),
        ("steps.first.result.id", "run.secret", 12, "steps[1].config.readme", "unknown reference"),
        ("{type: string}", "{pattern: '['}", 4, "inputs.properties.name.pattern", "is not a 'regex'"),
        ("{type: string}", "{type: strin}", 4, "inputs.properties.name.type", "not"),
        ('"${{ steps.first.result.id }}"', '"${{ open( }}"', 12, "steps[1].config.readme", "unknown reference"),
        ("id: first", "id: first\n    timeout_seconds: 3000", 7, "steps[0].timeout_seconds", "too many"),
        ("id: first", "id: first\n    max_retries: -1", 7, "steps[0].max_retries", "minimum"),
        ("id: first", "id: first\n    max_retries: many", 7, "steps[0].max_retries", "This is a text"),
    ],
)
def test_a_mistake_names_line_path_and_what_was_expected(old, new, line, path, words):
    assert old in GOOD
    with pytest.raises(InvalidDefinition) as raised:
        read_definition(GOOD.replace(old, new, 1))
    error = raised.value
    assert words in error.message
    assert error.place["path"] == path
    assert error.place["line"] == line
    assert error.place["expected"]


def test_inputs_without_properties_are_open():
    open_inputs = GOOD.replace("  properties: {name: {type: string}}\n", "")
    assert read_definition(open_inputs).inputs == {"type": "object"}


def test_an_expression_may_stand_where_the_schema_wants_something_else():
    text = GOOD.replace("method: POST", 'method: "${{ inputs.name }}"')
    assert read_definition(text).steps[0].config["method"] == "${{ inputs.name }}"


def test_a_definition_as_data():
    definition = check_definition({"name": "x", "steps": [{"id": "a", "type": "file_generation", "config": {}}]})
    assert definition.name == "x"
    with pytest.raises(InvalidInput):
        check_definition({"name": "x\0", "steps": []})
    with pytest.raises(InvalidDefinition):
        check_definition([])


def test_files(tmp_path: Path):
    good = tmp_path / "good.json"
    good.write_text(
        '{"name": "x", "steps": [{"id": "a", "type": "api_call", "config": {"method": "GET", "endpoint": "/"}}]}'
    )
    assert read_definition_file(good).name == "x"
    with pytest.raises(InvalidDefinition) as raised:
        read_definition_file(tmp_path / "missing.yaml")
    assert "No such file" in raised.value.message
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidDefinition) as raised:
        read_definition_file(binary)
    assert "UTF-8" in raised.value.message
