"""The program of the rendering process, run here without its limits on the process as a whole."""

from __future__ import annotations

import io
import json
import resource
import signal
import time
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import pytest

from backend.apps.projects.services import template_child
from backend.apps.projects.services.template_child import TemplateLimits, serve


@pytest.fixture
def confined(monkeypatch) -> Any:
    """Keep what the program asks of the operating system, and do not do it to the process of the tests."""
    asked: list[tuple[int, tuple[int, int]]] = []
    before = signal.getsignal(signal.SIGPROF)
    monkeypatch.setattr(resource, "setrlimit", lambda kind, values: asked.append((kind, values)))
    monkeypatch.setattr(template_child, "settings", SimpleNamespace(configure=lambda **options: None))
    yield asked
    signal.signal(signal.SIGPROF, before)


def converse(*requests: tuple[str, str | None], **limits: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said(*requests, **limits)]


def said(*requests: tuple[str, str | None], **limits: Any) -> list[bytes]:
    lines = [json.dumps(asdict(TemplateLimits(**limits)))]
    lines += [json.dumps({"source": source, "context": context}) for source, context in requests]
    answers, count = io.BytesIO(), memoryview(bytearray(8)).cast("q")
    serve(io.BytesIO("".join(f"{line}\n" for line in lines).encode()), answers, count)
    return answers.getvalue().splitlines()


def test_one_answer_for_each_line(confined):
    answers = converse(("{{ x }}", '{"x": 1}'), ("{{ x }}{{ x }}", None), ("{{ x }}", '{"x": "\\u00e9"}'))
    assert answers == [{"ready": True}, {"text": "1"}, {"text": "11"}, {"text": "\u00e9"}]


def test_it_counts_what_it_begins(confined):
    count = memoryview(bytearray(8)).cast("q")
    lines = [json.dumps(asdict(TemplateLimits()))]
    lines += [json.dumps({"source": source, "context": "{}"}) for source in ("a", "b", "{% if %}", "d")]
    serve(io.BytesIO("".join(f"{line}\n" for line in lines).encode()), io.BytesIO(), count)
    assert count[0] == 3


def test_a_context_is_read_anew_for_each_template(confined):
    answers = converse(("{{ l.pop }}", '{"l": [1, 2]}'), ("{{ l.pop }}", None))
    assert answers[1:] == [{"text": "2"}, {"text": "2"}]


def test_an_error_is_the_last_answer(confined):
    answers = converse(("{% if %}", "{}"), ("a", None))
    assert [list(answer) for answer in answers] == [["ready"], ["error", "line"]]


def test_the_process_confines_itself(confined):
    converse(("x", "{}"), memory_bytes=123)
    assert (resource.RLIMIT_AS, (123, 123)) in confined
    assert (resource.RLIMIT_FSIZE, (0, 0)) in confined
    assert (resource.RLIMIT_NPROC, (0, 0)) in confined
    (processor_time,) = [soft for kind, (soft, _) in confined if kind == resource.RLIMIT_CPU]
    assert processor_time <= time.process_time() + 3


@pytest.mark.parametrize(
    ("source", "word", "line"),
    [
        ("\n{% evil %}", "not allowed", 2),
        ("\n{{ x.__a }}", "underscores", 2),
        ("\n{{ 1|divisibleby:0 }}", "ZeroDivisionError", 2),
        ("{{ x|ljust:1000000000000000 }}", "memory", None),
        ("{% if " + "not " * 990 + "1 %}{% endif %}", "deeply", None),
        ("{% for a in s %}{% for b in s %}{% endfor %}{% endfor %}", "too often", 1),
        ("{{ s }}", "longer than 99", None),
    ],
)
def test_every_kind_of_failure_has_words(confined, source, word, line):
    answers = converse((source, json.dumps({"x": "x", "s": "y" * 100})), iterations=1000, output_characters=99)
    assert word in answers[1]["error"]
    assert answers[1].get("line") == line


def test_the_time_of_one_template_is_limited(confined):
    loops = "{% for a in s %}{% for b in s %}{{ s|slugify }}{% endfor %}{% endfor %}"
    answers = converse((loops, json.dumps({"s": "word " * 300})), iterations=10**9, cpu_seconds=0.05)
    assert "0.05 s" in answers[1]["error"]


def test_the_output_of_a_batch_is_limited(confined):
    answers = converse(("12345", "{}"), ("1234567", None), batch_output_bytes=10)
    assert "together" in answers[2]["error"]


def test_the_output_of_a_batch_is_counted_as_it_is_kept_and_sent_as_it_is_counted(confined):
    answers = said(("éü😀", "{}"), ("éü😀", None), batch_output_bytes=8)
    assert len(answers[1]) - len(b'{"text": ""}') == 8
    assert "together" in json.loads(answers[2])["error"]


def test_many_different_templates_are_not_all_kept(confined):
    answers = converse(*[(f"{n}", "{}") for n in range(40)])
    assert [answer["text"] for answer in answers[1:]] == [str(n) for n in range(40)]
