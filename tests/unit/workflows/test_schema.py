"""Checking values against JSON Schemas: what Python's regular expressions would let through."""

import pytest

from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.definitions.schema import check, check_with_expressions
from backend.apps.workflows.errors import InvalidDefinition


@pytest.mark.parametrize(
    ("pattern", "value", "fits"),
    [
        ("^[a-z]+$", "abc", True),
        ("^[a-z]+$", "abc\n", False),
        ("^a$|^b$", "a\n", False),
        (r"^\$[0-9]$", "$1", True),
        (r"^[$]+$", "$$", True),
        (r"^[\]$]$", "$", True),
        (r"^[\]$]$", "$\n", False),
        ("^a\n$", "a\n", True),
    ],
)
def test_a_pattern_ends_where_the_text_ends(pattern, value, fits):
    for checked in (check, check_with_expressions):
        assert (checked({"x": value}, {"properties": {"x": {"pattern": pattern}}}) is None) is fits


def test_an_id_has_no_line_break():
    with pytest.raises(InvalidDefinition):
        check_definition({"name": "x", "steps": [{"id": "a\n", "type": "one"}]})
    with pytest.raises(InvalidDefinition):
        check_definition({"name": "x\n", "steps": [{"id": "a", "type": "one"}]})


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ("x" * 100_000, {"pattern": "^y"}),
        ("x" * 100_000, {"enum": ["y"]}),
        ("x", {"enum": [str(number) for number in range(100_000)]}),
        ({"x" * 100_000: 1}, {"properties": {"y": {}}, "additionalProperties": False}),
        ({}, {"required": [str(number) for number in range(100_000)]}),
        ("x" * 100_000, {"maxLength": 5}),
    ],
)
def test_what_is_said_of_a_large_value_is_short(value, schema):
    misfit = check(value, schema)
    assert misfit is not None
    assert len(misfit.message) < 250
    assert len(misfit.expected) < 2100
