"""Expressions: what they yield, and all they refuse."""

import pytest

from backend.apps.workflows.definitions.expressions import parse
from backend.apps.workflows.errors import InvalidExpression

DATA = {
    "inputs": {"name": "hello", "count": 3, "tags": ["a", "b"], "none": None, "odd key": {"x": True}},
    "steps": {"story": {"result": {"id": 7, "items": [{"n": 1}]}}},
    "run": {"id": "r1"},
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("inputs.name", "hello"),
        ("inputs.tags", ["a", "b"]),
        ("inputs.tags[1]", "b"),
        ('inputs["odd key"].x', True),
        ("steps.story.result.items[0].n", 1),
        ("inputs.name == 'hello'", True),
        ("inputs.name != ''", True),
        ("inputs.count >= 3 && inputs.count < 4.5", True),
        ("!(inputs.count == 3) || inputs.name in ['x', \"hello\"]", True),
        ("inputs.none == null", True),
        ("'a' in inputs.tags", True),
        ("true", True),
        ("-3 < inputs.count", True),
        ("'it''s' == ''", None),
        ("'}}' == inputs.name", False),
    ],
)
def test_values(text, value):
    if value is None:
        with pytest.raises(InvalidExpression):
            parse(text)
    else:
        assert parse(text).evaluate(DATA) == value


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("", 1),
        ("__import__('os')", 1),
        ("inputs.name.upper()", 18),
        ("(inputs.name)('x')", 14),
        ("size(inputs.tags)", 1),
        ("inputs.count + 1", 14),
        ("inputs.count -1", 14),
        ("1 1", 3),
        ("9 ** 9", 3),
        ("inputs.a ? 1 : 2", 10),
        ("inputs.", 7),
        ("inputs.[0]", 8),
        ("inputs[inputs.name]", 8),
        ("inputs.tags[-1]", 13),
        ("'abc'[0]", 6),
        ("'abc'.x", 6),
        ("secrets.x", 1),
        ("[x for x in y]", 2),
        ("inputs.name == 'a", 16),
        ("{}", 1),
        ("inputs.name ==", 1),
        ("(" * 30 + "true" + ")" * 30, 21),
        ("||".join(["true"] * 150), 601),
        ("x" * 1001, 1001),
    ],
)
def test_what_is_refused_and_where(text, column):
    with pytest.raises(InvalidExpression) as raised:
        parse(text)
    assert raised.value.place["column"] == column


@pytest.mark.parametrize(
    "text",
    [
        "inputs.missing",
        "inputs.name.x",
        "inputs.tags.x",
        "inputs.tags[9]",
        "inputs.name.__class__",
        'inputs["__class__"]',
        "steps.other.result",
        "inputs.count < 'a'",
        "inputs.name && true",
    ],
)
def test_what_leads_nowhere_or_cannot_be_compared(text):
    with pytest.raises(InvalidExpression):
        parse(text).evaluate(DATA)


def test_a_reference_names_itself():
    assert str(parse('inputs["a"].b[2]').references[0]) == "inputs.a.b[2]"
