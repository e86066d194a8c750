"""That no schema, and no value, keeps a check at work for ever, or takes all memory."""

from __future__ import annotations

import threading

import pytest

from backend.apps.workflows.definitions import bounded
from backend.apps.workflows.definitions.patterns import Unsearchable, is_searchable, searches
from backend.apps.workflows.definitions.schema import check, check_schema

UNTOLD = "Whether this fits cannot be told in time"
ENDLESS, TEXT = "(a|a)*b|c", "a" * 60


@pytest.fixture
def hurried(monkeypatch):
    """Let a check do less than it may."""
    monkeypatch.setattr(bounded, "MOST_SECONDS", 0.1)
    monkeypatch.setattr(bounded, "MOST_EFFORT", 50_000)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"pattern": ENDLESS}, TEXT),
        ({"patternProperties": {ENDLESS: True}}, {TEXT: 1}),
        ({"propertyNames": {"pattern": ENDLESS}}, {TEXT: 1}),
        ({"items": {"pattern": ENDLESS}}, [TEXT] * 100),
        # Another `$schema` means other classes of jsonschema's, which would search with Python's `re`.
        (
            {"$schema": "https://json-schema.org/draft/2020-12/schema", "items": {"$ref": "#"}, "pattern": ENDLESS},
            [TEXT],
        ),
        ({"items": {"$schema": "http://json-schema.org/draft-07/schema#", "pattern": ENDLESS}}, [TEXT]),
    ],
)
def test_a_pattern_that_has_no_end_is_given_up(schema, value):
    assert check_schema(schema) is None
    misfit = check(value, schema)
    assert misfit is not None
    assert misfit.message == UNTOLD


@pytest.mark.usefixtures("hurried")
def test_nobody_else_is_held_up_meanwhile():
    searching, turns = threading.Thread(target=check, args=(TEXT, {"pattern": ENDLESS})), 0
    searching.start()
    while searching.is_alive():
        turns += 1
    # With the lock of the interpreter held it would be a handful.
    assert turns > 1000


# Python's own compiler warns of what it may read in another way one day.
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    "pattern",
    [
        "(?:a{1000}){1000}",
        r"(?:\(a{1000}\)){1000}",
        "((((a{1000}){1000}){1000}){1000})",
        # Ways to hide where a group ends.
        "(?:(?#[)a{1000}(?#])){1000}",
        "(?x:a{1000}#)\n){1000}",
        "(?:a{1000}[[:alpha:])]){1000}",
        "(?(",
        "(" * 3000 + ")" * 3000,
    ],
)
def test_a_pattern_that_would_fill_the_memory_is_not_begun(pattern):
    assert not is_searchable(pattern)
    with pytest.raises(Unsearchable):
        searches(pattern, "a", seconds=1)
    assert check_schema({"properties": {"a": {"pattern": pattern}}}) is not None
    assert check_schema({"patternProperties": {pattern: True}}) is not None


@pytest.mark.parametrize(
    "pattern",
    [
        "^[a-z][a-z0-9-]{0,62}$",
        "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        "([0-9a-fA-F]{1,4}:){7,7}[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,7}:|:((:[0-9a-fA-F]{1,4}){1,7}|:)",
        "^(?!-)(?=.{1,10000}$)(?P<name>[^@]+)@(?:[a-z]+[.])+[a-z]{2,}(?<!x)$",
        "^.{1,100000}$",
        "^{{.*}}$",
    ],
)
def test_an_ordinary_pattern_is_searched_for(pattern):
    assert is_searchable(pattern)
    assert check_schema({"pattern": pattern}) is None


@pytest.mark.usefixtures("hurried")
def test_references_that_double_at_each_level_end():
    doubling = {f"x{level}": {"allOf": [{"$ref": f"#/$defs/x{level + 1}"}] * 2} for level in range(60)}
    schema = {"$defs": {**doubling, "x60": {"type": "integer"}}, "$ref": "#/$defs/x0"}
    assert check_schema(schema) is None
    misfit = check(1, schema)
    assert misfit is not None
    assert misfit.message == UNTOLD


@pytest.mark.usefixtures("hurried")
def test_many_choices_for_many_items_end():
    misfit = check(list(range(10_000)), {"items": {"enum": list(range(10_000))}})
    assert misfit is not None
    assert misfit.message == UNTOLD


def test_an_ordinary_large_value_is_checked_to_its_end():
    file = {
        "type": "object",
        "required": ["path"],
        "properties": {"path": {"type": "string", "pattern": "^[a-z0-9/]+$"}},
    }
    files = [{"path": f"src/{number}"} for number in range(30_000)]
    assert check(files, {"type": "array", "items": file}) is None
    misfit = check([*files, {"path": "A"}], {"type": "array", "items": file})
    assert misfit is not None
    assert misfit.path == (30_000, "path")


@pytest.mark.parametrize(
    ("value", "unique"),
    [
        ([1, True, "1", None, [1], {"a": 1}], True),
        ([0, False, "", [], {}], True),
        ([1, 1.0], False),
        ([{"a": 1, "b": [2]}, {"b": [2.0], "a": 1}], False),
        ([[1], [True]], True),
        ([{"a": number} for number in range(20_000)], True),
        ([{"a": number} for number in range(20_000)] + [{"a": 0}], False),
    ],
)
def test_items_are_different_as_json_schema_says(value, unique):
    assert (check(value, {"uniqueItems": True}) is None) is unique
    assert check(value, {"uniqueItems": False}) is None


@pytest.mark.parametrize(
    ("value", "fits"),
    [({"a1": 1}, True), ({"b": 1}, True), ({"c": 1}, False), ({"a1": "x"}, False)],
)
def test_names_are_allowed_by_name_or_pattern(value, fits):
    number = {"type": "integer"}
    schema = {"properties": {"b": number}, "patternProperties": {"^a": number}, "additionalProperties": False}
    assert (check(value, schema) is None) is fits
    assert (check(value, {**schema, "additionalProperties": {"type": "string"}}) is None) is fits


def test_what_jsonschema_itself_would_search_for_is_refused():
    schema = {"patternProperties": {"^a": True}, "allOf": [{"unevaluatedProperties": False}]}
    misfit = check_schema(schema)
    assert misfit is not None
    assert misfit.expected == "'additionalProperties'"
