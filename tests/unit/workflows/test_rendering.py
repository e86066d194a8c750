"""Filling expressions in."""

import pytest

from backend.apps.workflows.definitions.rendering import expressions, render, shown
from backend.apps.workflows.errors import InvalidExpression

DATA = {"inputs": {"name": "hello", "n": 3, "tree": {"a": ["b"]}, "none": None, "big": "x" * 70_000}}


@pytest.mark.parametrize(
    ("value", "rendered"),
    [
        ("plain", "plain"),
        ("", ""),
        (5, 5),
        ("${{ inputs.tree }}", {"a": ["b"]}),
        ("${{ inputs.n }}", 3),
        ("n=${{ inputs.n }}, none=${{ inputs.none }}", "n=3, none=null"),
        ("${{ inputs.name }}-${{inputs.name}}", "hello-hello"),
        ("tree ${{ inputs.tree }}", 'tree {"a":["b"]}'),
        ("$${{ secrets.TOKEN }}", "${{ secrets.TOKEN }}"),
        ("a $${{ b }} ${{ inputs.n }}", "a ${{ b }} 3"),
        ("{{ template }}", "{{ template }}"),
        ("${{ inputs.name == '}}' }}", False),
        ({"${{ inputs.name }}/main.py": ["${{ inputs.n }}"]}, {"hello/main.py": [3]}),
        ("${{ inputs.big }}", "x" * 70_000),
    ],
)
def test_rendering(value, rendered):
    assert render(value, DATA) == rendered


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"a": ["${{ inputs.nothing }}"]}, "a[0]"),
        ({"a": "${{ inputs.name"}, "a"),
        ({"${{ inputs.n }}": 1}, "${{ inputs.n }}"),
        ({"hello": 1, "${{ inputs.name }}": 2}, "${{ inputs.name }}"),
        ({"a": "text ${{ inputs.big }}"}, "a"),
    ],
)
def test_errors_name_the_path(value, path):
    with pytest.raises(InvalidExpression) as raised:
        render(value, DATA)
    if "path" in raised.value.place:
        assert raised.value.place["path"] == path
    else:
        assert "64" in raised.value.message or "65536" in raised.value.message


def test_expressions_are_found_with_their_paths():
    found = [(shown(path), each.text) for path, each in expressions({"a": ["x ${{ inputs.n }} ${{ run.id }}"], "b": 1})]
    assert found == [("a[0]", "inputs.n"), ("a[0]", "run.id")]


def test_a_bad_expression_is_found_with_its_path():
    with pytest.raises(InvalidExpression) as raised:
        list(expressions({"a": [{"b": "${{ open() }}"}]}))
    assert raised.value.place["path"] == "a[0].b"
