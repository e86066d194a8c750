"""Reading a definition's text."""

import pytest

from backend.apps.workflows.definitions.source import read_source
from backend.apps.workflows.errors import InvalidDefinition


def test_plain_yaml_keeps_json_types_and_lines():
    source = read_source('a: 1\nb: [true, null, "x", 2.5, on, 2024-01-01, 012, 0x1F]\nc:\n  d: text\n')

    assert source.data == {"a": 1, "b": [True, None, "x", 2.5, "on", "2024-01-01", "012", "0x1F"], "c": {"d": "text"}}
    assert source.line(("b", 2)) == 2
    assert source.line(("c", "d")) == 4
    assert source.line(("c", "missing", "deeper")) == 3


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("a: &x 1\n", "Anchors", 1),
        ("a: 1\nb: *x\n", "Anchors", 2),
        ("a: !!python/object/apply:os.system [id]\n", "tag", 1),
        ("a: !custom {}\n", "tag", 1),
        ("a:\n  <<: {b: 1}\n", "Merge keys", 2),
        ("a: 1\na: 2\n", "twice", 2),
        ("a: [1\n", "not valid YAML", 2),
        ("{[a]: 1}\n", "key must be a string", 1),
        ("a: 99999999999999999999\n", "64 bits", 1),
        ("a: 1" + "0" * 40 + "\n", "too many digits", 1),
        ("a: 1e999\n", "too large", 1),
        ("[" * 60 + "]" * 60, "nested deeper", 1),
        ("", "empty", None),
        ("a: \x01\n", "not valid YAML", None),
    ],
)
def test_what_is_refused_in_yaml(text, words, line):
    with pytest.raises(InvalidDefinition) as raised:
        read_source(text)
    assert words in raised.value.message
    assert raised.value.place.get("line") == line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1, "a": 2}', "twice"),
        ('{"a": NaN}', "NaN"),
        ('{"a": 1,}', "not valid JSON"),
        ('{"a": 99999999999999999999}', "64 bits"),
        ("[" * 100_000, "nested deeper than 50"),
    ],
)
def test_what_is_refused_in_json(text, words):
    with pytest.raises(InvalidDefinition) as raised:
        read_source(text, is_json=True)
    assert words in raised.value.message


def test_json_is_read_as_json():
    assert read_source('{"a": "\\ud83d\\ude00", "b": [1, -2.5, null]}', is_json=True).data == {
        "a": "😀",
        "b": [1, -2.5, None],
    }


def test_a_source_beyond_the_limit_is_refused():
    with pytest.raises(InvalidDefinition) as raised:
        read_source("a: " + "x" * (9 * 1024 * 1024))
    assert raised.value.hint is not None
    assert "@file" in raised.value.hint


def test_the_merge_key_bomb_is_refused_at_once():
    bomb = "a: &a {x: 1}\nb: &b {<<: [*a,*a,*a]}\nc: &c {<<: [*b,*b,*b]}\n"
    with pytest.raises(InvalidDefinition):
        read_source(bomb)
