"""The one reader of JSON: what it refuses, where, and the lines of what it reads."""

from __future__ import annotations

import json

import pytest

from backend.strict_json import NotJSON, lines, read_json, unfit


@pytest.mark.parametrize("text", ["{}", '[1, -2.5, true, null, "€😀"]', '{"a": {"a": [{}]}}', "1e-999", b'"\xc3\xa4"'])
def test_what_is_read(text):
    assert read_json(text) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "reason", "line", "column"),
    [
        ("", "Expecting value", 1, 1),
        ("[1,\n 2", "Expecting ',' delimiter", 2, 3),
        ("{}\n{}", "Extra data", 2, 1),
        ("\ufeff{}", "byte order mark", 1, 1),
        (b"\xef\xbb\xbf{}", "byte order mark", 1, 1),
        (b'["a",\n"\xff"]', "not UTF-8", 2, 2),
        ('{"a": 1,\n "b": 2,\n "a": 3}', "'a' is given twice", 3, 2),
        ('[{"a": 1}, {"b": [1],\n"b": 2}]', "'b' is given twice", 2, 1),
        ('["NaN",\n NaN]', "NaN is not JSON", 2, 2),
        ("[1, -Infinity]", "-Infinity is not JSON", 1, 5),
        ('["9223372036854775808",\n 9223372036854775808]', "64 bits", 2, 2),
        ("[1,\n" + "9" * 5000 + "]", "64 bits", 2, 1),
        ("[1.5,\n 1e999]", "too large", 2, 2),
        ('{"a": [1, "x",\n "\\u0000"]}', "NUL", 2, 2),
        ('{"a": 1,\n"b\\u0000": 1}', "NUL", 1, 1),
        ('[1, {"a": "\\ud800"}]', "surrogate", 1, 6),
        ("[\n[\n[\n[1]]]]", "deeper than 3", 4, 1),
        ('[\n"[[[[[[",\n[' + "[" * 100_000, "deeper than 3", 3, 3),
    ],
)
def test_what_is_refused_and_where(text, reason, line, column):
    with pytest.raises(NotJSON, match=reason) as raised:
        read_json(text, deepest=3)
    assert (raised.value.line, raised.value.column) == (line, column)
    assert f"line {line}" in str(raised.value)


def test_integers_of_64_bits_are_read():
    assert read_json("[9223372036854775807, -9223372036854775808]") == [2**63 - 1, -(2**63)]


def test_each_parts_line():
    text = '{"a": 1,\n "b": [\n  {"c, \\"]}": null},\n  "x"\n ],\n "d": {}\n}'
    assert lines(text) == {
        (): 1,
        ("a",): 1,
        ("b",): 2,
        ("b", 0): 3,
        ("b", 0, 'c, "]}'): 3,
        ("b", 1): 4,
        ("d",): 6,
    }


def test_a_reason_without_a_place_is_said_as_it_is():
    assert str(NotJSON("it is not")) == "it is not"


def test_a_value_that_is_no_json_says_which_part():
    assert unfit({"a": [1, {2}]}).path == ("a", 1)  # type: ignore[union-attr]
