"""Definitions, expressions and JSON from the corpus: each row gets what it should, in bounded work."""

from __future__ import annotations

import io
import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from rest_framework.exceptions import ParseError

from backend.api.parsers import StrictJSONParser
from backend.apps.agents.services.answers import LARGEST_ANSWER
from backend.apps.projects.errors import InvalidPath
from backend.apps.projects.services.paths import validate_path
from backend.apps.workflows.definitions.check import check_definition, read_definition_file
from backend.apps.workflows.definitions.rendering import render
from backend.apps.workflows.definitions.source import read_source
from backend.apps.workflows.errors import InvalidDefinition, InvalidExpression
from backend.cli.inputs import read_inputs
from backend.errors import InvalidInput
from tests.corpus import rows

MOST_SECONDS = 5.0
"""Of the processor, not of the clock: an ordinary row takes a thousandth, the largest a part of one second."""


@contextmanager
def bounded_work() -> Iterator[None]:
    """Raise once more than MOST_SECONDS of the process's own time have been spent inside."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"more than {MOST_SECONDS} processor seconds for one row")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def definition(expression: str) -> dict[str, Any]:
    """Return a definition whose second step asks for a value by an expression."""
    return {
        "name": "corpus",
        "inputs": {"properties": {"name": {"type": "string"}}},
        "steps": [
            {"id": "a", "type": "one"},
            {"id": "second", "type": "one", "config": {"x": "${{ " + expression + " }}"}},
            {"id": "later_step", "type": "one"},
        ],
    }


STATE = {"inputs": {"name": "n"}, "steps": {"a": {"status": "completed", "result": [1]}}, "run": {"id": "r"}}


def evaluated(expression: str) -> Any:
    """Check a definition with the expression as it is checked when it is saved, and then fill it in."""
    checked = check_definition(definition(expression))
    return render(checked.step("second").config, STATE, ("steps", "second", "config"))["x"]


def expression_of(row: dict[str, Any]) -> str:
    if row["value"] is not None:
        return str(row["value"])
    recipe = row["gen"]
    return str(recipe["repeat"] * recipe["len"])[: recipe["len"]]


def expression_rows() -> list[dict[str, Any]]:
    return [row for name in ("own/workflow_expressions", "third_party/expressions") for row in rows(name)]


def test_expressions_are_refused_with_step_and_position():
    seen = 0
    for row in expression_rows():
        if "value" not in row:
            continue
        seen += 1
        with bounded_work(), pytest.raises(InvalidExpression) as raised:
            # "value or unknown reference": a state has what its steps have left there, and none of the rows' names.
            evaluated(expression_of(row))
        place = raised.value.place
        assert place["column"] >= 1, row
        assert "second" in (place.get("step", ""), *place["path"].split(".")), row
        assert len(raised.value.message) < 500, row
    assert seen > 120


def test_no_expression_of_the_corpus_reads_more_than_data():
    """Even where the names exist as keys of the data, they yield what the data holds and never Python's objects."""
    data = {**STATE, "steps": {"a": {"__class__": "text", "__init__": {"__globals__": 1}}}}
    assert render("${{ steps.a.__class__ }}", data) == "text"
    assert render("${{ steps.a.__init__.__globals__ }}", data) == 1


def test_scenarios_of_expressions():
    scenarios: dict[str, Callable[[], None]] = {
        "cycle a->b->a": a_circle,
        "reference to a later step": a_later_step,
        "1000 steps fan-out x fan-in": fan_out_and_in,
        'output of step used as structure key: ".git/config"': a_forbidden_key,
        "output of step with 50 MB body": a_large_answer,
    }
    named = [row["name"] for row in expression_rows() if "name" in row]
    assert sorted(named) == sorted(scenarios)
    for name in named:
        scenarios[name]()


def a_circle() -> None:
    steps = [{"id": "a", "type": "one", "depends_on": ["b"]}, {"id": "b", "type": "one", "depends_on": ["a"]}]
    with pytest.raises(InvalidDefinition) as raised:
        check_definition({"name": "x", "steps": steps})
    assert raised.value.place["step"] == "a"
    assert "waits for itself" in raised.value.message


def a_later_step() -> None:
    with pytest.raises(InvalidExpression) as raised:
        check_definition(definition("steps.later_step.result"))
    assert raised.value.place["step"] == "second"
    assert "depends on" in (raised.value.hint or "")


def fan_out_and_in() -> None:
    """A thousand steps are the limit, and ten thousand dependencies; a layer in between gathers more than that."""

    def layers(*widths: int) -> dict[str, Any]:
        steps: list[dict[str, Any]] = []
        above: list[str] = []
        for layer, width in enumerate(widths):
            names = [f"s{layer}_{number}" for number in range(width)]
            steps += [{"id": name, "type": "one", "depends_on": above} for name in names]
            above = names
        return {"name": "wide", "steps": steps}

    with bounded_work():
        assert len(check_definition(layers(1, 998, 1)).steps) == 1000
        assert len(check_definition(layers(100, 99, 1)).steps) == 200
        assert len(check_definition(layers(499, 1, 499, 1)).in_order) == 1000
    for wrong in (layers(500, 500), layers(1, 999, 1)):
        with bounded_work(), pytest.raises(InvalidDefinition) as raised:
            check_definition(wrong)
        assert raised.value.place["path"].startswith("steps")


def a_forbidden_key() -> None:
    """What a step has answered is filled in first, and checked then, as a path like any other."""
    state = {"steps": {"a": {"result": {"name": ".git/config"}}}}
    filled = render({"${{ steps.a.result.name }}": "[core]"}, state)
    assert list(filled) == [".git/config"]
    with pytest.raises(InvalidPath):
        validate_path(next(iter(filled)))


def a_large_answer() -> None:
    """An answer is refused above its own limit, and what is within it may not be written into a text by mistake."""
    assert LARGEST_ANSWER < 50_000_000
    with pytest.raises(InvalidExpression):
        render("body: ${{ steps.a.result }}", {"steps": {"a": {"result": "x" * LARGEST_ANSWER}}})


def text_of(row: dict[str, Any]) -> str:
    if "value" in row:
        return str(row["value"])
    recipe = row["gen"]
    if "repeat" in recipe:
        return str(recipe["repeat"] * recipe["count"])
    if "bytes" in recipe:
        return '{"a": "' + "x" * int(recipe["bytes"]) + '"}'
    count = recipe["count"]
    if "{i}" in recipe["lines"]:
        return "\n".join(str(recipe["lines"]).replace("{i}", str(number)) for number in range(count))
    return "\n".join(" " * number + "a:" for number in range(count))


ACCEPTED = {
    # YAML 1.1's words for yes and no are texts here, and a number with a leading zero is one too: a version "010" or a
    # country "NO" stays what was written. Nothing else is what anybody expects.
    "norway": "NO",
    "octal": "0777",
    # A date is a text, so an impossible one is no error of the YAML; an input's schema may ask for a format.
    "bad-timestamp": "2001-99-99",
    # Data like any other: arguments never travel in messages.
    "kombu-type-json": {"__type__": "evil", "__value__": 1},
}
ELSEWHERE = {"gzip-bomb-response-json"}
"""Not a text that is read here: an answer of another system; the tests of `agents` have it."""


def test_bombs(tmp_path: Path):
    read = 0
    for row in rows("own/yaml_json_bombs"):
        if row["name"] in ELSEWHERE:
            continue
        text, is_json = text_of(row), row["format"] == "json"
        read += 1
        if row["name"] in ACCEPTED:
            with bounded_work():
                assert read_source(text, is_json=is_json).data == ACCEPTED[row["name"]]
        elif row["name"] != "nul":
            with bounded_work(), pytest.raises(InvalidDefinition):
                read_source(text, is_json=is_json)
        file = tmp_path / f"{row['name']}.{row['format']}"
        file.write_text(text, "utf-8")
        with bounded_work(), pytest.raises(InvalidDefinition) as raised:
            # None of them is a definition, so that each is refused here, and none in any other way.
            read_definition_file(file)
        place = raised.value.place
        assert place.get("line") or row["name"] == "huge-body-json", row
        assert len(json.dumps(raised.value.as_json())) < 5000, row
    assert read > 20


# The suite's "must be accepted" are accepted but for these, which JSON allows and Repomill does not: what a database
# cannot keep (NUL), and what later readers would not read alike (a name given twice).
REFUSED_HERE = {
    "y_object_duplicated_key",
    "y_object_duplicated_key_and_value",
    "y_object_escaped_null_in_key",
    "y_string_null_escape",
}
# Where the suite leaves it open: numbers that become zero are read, as every reader does; all else is refused.
READ_HERE = {"i_number_double_huge_neg_exp", "i_number_real_underflow"}


def json_rows() -> Iterator[tuple[str, bytes, bool]]:
    """Yield the kind, the bytes and whether they are to be accepted."""
    for row in rows("third_party/json_parsing"):
        kind = row["kind"]
        accepted = kind in READ_HERE or (row["expected"] == "parse-ok" and kind not in REFUSED_HERE)
        yield kind, row["value"].encode("utf-8", "surrogateescape"), accepted


def test_json_in_bodies_in_inputs_and_in_definitions(tmp_path: Path):
    schema = {"properties": {"x": {"type": ["object", "array", "null"]}}}
    file = tmp_path / "it.json"
    read = 0
    for kind, body, accepted in json_rows():
        read += 1
        file.write_bytes(body)
        with bounded_work():
            values = [
                outcome(partial(StrictJSONParser().parse, io.BytesIO(body)), ParseError),
                outcome(lambda: read_inputs([f"x=@{file}"], schema)["x"], InvalidInput),
                outcome(partial(read_body_as_source, body), InvalidDefinition, UnicodeDecodeError),
            ]
        if accepted:
            assert values == [json.loads(body)] * 3, kind
        else:
            assert values == [REFUSED] * 3, kind
        with bounded_work(), pytest.raises(InvalidDefinition) as raised:
            read_definition_file(file)
        assert raised.value.place["line"] >= 1, kind
    assert read > 300


REFUSED = object()


def read_body_as_source(body: bytes) -> Any:
    return read_source(body.decode(), is_json=True).data


def outcome(read: Callable[[], Any], *errors: type[Exception]) -> Any:
    """Return what is read, or REFUSED for an error of the given kinds; any other goes on."""
    try:
        return read()
    except errors:
        return REFUSED
