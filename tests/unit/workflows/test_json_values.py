"""What counts as JSON that every database can keep."""

import pytest

from backend.apps.workflows.definitions.json_values import check_json
from backend.errors import InvalidInput


def deep(levels):
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "x", "ä😀", [], {"a": [{"b": None}]}, deep(99)])
def test_what_is_json(value):
    check_json(value, where="inputs")


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"a": ["x\0"]}, "inputs.a[0]"),
        ({"a\0": 1}, "inputs"),
        ({"a": "\ud800"}, "inputs.a"),
        ({"a": float("nan")}, "inputs.a"),
        ({"a": float("inf")}, "inputs.a"),
        ({1: 2}, "inputs"),
        ({"a": b"x"}, "inputs.a"),
        ({"a": {1, 2}}, "inputs.a"),
        ((1,), "inputs"),
    ],
)
def test_what_is_not(value, field):
    with pytest.raises(InvalidInput) as raised:
        check_json(value, where="inputs")
    assert raised.value.place["field"] == field


def test_nesting_is_bounded():
    with pytest.raises(InvalidInput) as raised:
        check_json(deep(101), where="x")
    assert "nested" in raised.value.message
