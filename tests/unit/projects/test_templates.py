"""Templates: what they may say, what they may cost, and what comes out."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from django.template.base import Lexer
from hypothesis import given
from hypothesis import strategies as st

from backend.apps.projects.errors import InvalidTemplate, QuotaExceeded
from backend.apps.projects.services.template_child import BareEngine, BareTemplate, LinearLexer, Refused
from backend.apps.projects.services.template_process import Finished, processes
from backend.apps.projects.services.templates import TemplateLimits, TemplateSource, render_templates
from backend.errors import RepomillError, TemporaryFailure


def render(source: str, context: dict[str, Any] | None = None, **limits: Any) -> str:
    (text,) = render_templates([TemplateSource("t", source, context or {})], limits=TemplateLimits(**limits))
    return text


def refusal(source: str, context: dict[str, Any] | None = None, **limits: Any) -> InvalidTemplate:
    with pytest.raises(InvalidTemplate) as refused:
        render(source, context, **limits)
    assert refused.value.place["template"] == "t"
    assert refused.value.code == "invalid_template"
    return refused.value


def test_source_code_comes_out_as_it_is():
    """One batch, since each starts a process."""
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("if a < b && c > \"d\": {{ x }}", {"x": "<&'\">"}, "if a < b && c > \"d\": <&'\">"),
        ("{{ n }} {{ f }} {{ t }} {{ o }}", {"n": 1234567, "f": 1.5, "t": True, "o": None}, "1234567 1.5 True None"),
        ("{{ missing }}|{{ missing.deeper }}", {}, "|"),
        ("line\r\nline\n\tx", {}, "line\r\nline\n\tx"),
        ("{% for k, v in d.items %}{{ k }}={{ v|default:'-' }};{% endfor %}", {"d": {"a": 1, "b": None}}, "a=1;b=-;"),
        ("{% for a in l %}{% for b in a %}{{ forloop.parentloop.counter }}{{ b }}{% empty %}e{% endfor %}{% endfor %}",
         {"l": ["xy", []]}, "1x1ye"),
        ("{% if a and not b|length > 2 %}yes{% elif c %}c{% else %}no{% endif %}", {"a": 1, "b": "xx"}, "yes"),
        ("{% with y=x|upper %}{{ y }}{% endwith %}", {"x": "a"}, "A"),
        ("{% verbatim %}{{ mustache }}{% evil %}{% endverbatim %}", {}, "{{ mustache }}{% evil %}"),
        ("{% verbatim x %}{% endverbatim %}{% endverbatim x %}", {}, "{% endverbatim %}"),
        ("{% comment 'why' %}{% evil %}{{ x|evil }}{% endcomment %}{# {% evil %} #}a", {}, "a"),
        ("{% templatetag openvariable %} x {% templatetag closevariable %}", {}, "{{ x }}"),
        ("{% filter upper|cut:'B' %}abc{% endfilter %}", {}, "AC"),
        ("{{ 'a|evil' }}{{ \"b|evil\"|lower }}", {}, "a|evilb|evil"),
        ("{% autoescape on %}{{ x }}{% endautoescape %}{{ x }}", {"x": "<"}, "&lt;<"),
        ("{% cycle 'a' 'b' as c %}{% cycle c %}{% resetcycle c %}", {}, "ab"),
        ("func(a map[string]struct{}{{ x }}) { {% if x %}}{% endif %}", {"x": "1"}, "func(a map[string]struct{}1) { }"),
        ("{{ d.clear }}{{ d }}", {"d": {"a": 1}}, "None{}"),
        ("\u0645 {{ x }} \U0001f600", {"x": "\u0130"}, "\u0645 \u0130 \U0001f600"),
        ("", {}, ""),
    ]  # fmt: skip
    contexts = json.dumps([context for _, context, _ in cases])
    sources = [TemplateSource(str(n), source, context) for n, (source, context, _) in enumerate(cases)]
    assert render_templates(sources) == [expected for _, _, expected in cases]
    assert json.dumps([context for _, context, _ in cases]) == contexts


def test_no_templates_take_no_process(monkeypatch):
    monkeypatch.setattr("backend.apps.projects.services.templates.processes", None)
    assert render_templates([]) == []


def test_a_context_that_is_shared_is_not_changed_by_another_template():
    context = {"d": {"a": [1, 2]}}
    sources = [TemplateSource(str(n), "{{ d.a.pop }}{{ d.clear }}{{ settings }}", context) for n in range(3)]
    assert render_templates(sources) == ["2None"] * 3
    assert context == {"d": {"a": [1, 2]}}


# What is refused before it is parsed: no process is needed to see it.
@pytest.mark.parametrize(
    ("source", "line", "word"),
    [
        ("\n\n{% include 'x' %}", 3, "include"),
        ("{% extends 'x' %}", 1, "extends"),
        ("{% load static %}", 1, "load"),
        ("{% debug %}", 1, "debug"),
        ("{% now 'Y' %}", 1, "now"),
        ("{% lorem 3 w random %}", 1, "lorem"),
        ("{% csrf_token %}", 1, "csrf_token"),
        ("{% url 'x' %}", 1, "url"),
        ("a\n{{ x|random }}", 2, "random"),
        ("{{ x|date }}", 1, "date"),
        ("{{ x | evil }}", 1, "evil"),
        ("{% if x|evil %}{% endif %}", 1, "evil"),
        ("{% filter evil %}{% endfilter %}", 1, "evil"),
        ("{% filter upper|evil %}{% endfilter %}", 1, "evil"),
        ("{% with a=b|evil %}{% endwith %}", 1, "evil"),
        ("{{ \"\\\"\"|evil }}", 1, "evil"),
        ("{% comment %}{% endcomment %}{% evil %}", 1, "evil"),
        ("{% if 1 %}" * 51 + "{% endif %}" * 51, 1, "nested"),
        ("{{ x }}\n" * 20_001, None, "20,000"),
        ("\n{{ " + "x" * 4_001 + " }}", 2, "4,000"),
        ("\n" + "x" * 100_001, 2, "100,000"),
    ],
)  # fmt: skip
def test_what_is_not_allowed_is_refused_before_it_is_parsed(source, line, word):
    with pytest.raises(Refused, match=word) as refused:
        BareTemplate(source, engine=BareEngine(TemplateLimits()))
    assert refused.value.line == line


def test_a_chain_of_blocks_is_not_nested():
    template = BareTemplate("{% if 1 %}{% endif %}" * 200, engine=BareEngine(TemplateLimits()))
    assert len(template.nodelist) == 200


@pytest.mark.parametrize(
    ("source", "line", "word"),
    [
        ("a\n{% evil %}", 2, "evil"),
        ("a\nb\n{% if x %}", 3, "Unclosed"),
        ("{{ x.__class__ }}", 1, "underscores"),
        ("\n{{ 5|divisibleby:0 }}", 2, "ZeroDivisionError"),
        ("\n\n{% for a, b in l %}{{ a }}{% endfor %}", 3, "unpack"),
        ("\n{% for i in b %}{% for j in b %}{% for k in b %}{% endfor %}{% endfor %}{% endfor %}", 2, "too often"),
        ("{{ x|ljust:1000000000 }}", None, "memory"),
        ("{{ 'x'|ljust:16777217 }}", None, "longer"),
        ("{% if " + "not " * 900 + "1 %}{% endif %}", None, "deeply"),
    ],
)  # fmt: skip
def test_failures_name_the_line(source, line, word):
    error = refusal(source, {"l": [[1, 2, 3]], "b": "x" * 100, "x": "x"})
    assert word in error.message
    assert error.place.get("line") == line
    assert error.hint


def test_processor_time_is_limited():
    loops = "{% for a in big %}{% for b in big %}{{ long|slugify }}{% endfor %}{% endfor %}"
    start = time.process_time()
    error = refusal(loops, {"big": "x" * 300, "long": "word " * 10_000}, cpu_seconds=0.2)
    assert "0.2 s" in error.message
    assert time.process_time() - start < 2


def test_one_long_call_is_ended_by_the_kernel(monkeypatch):
    """A signal waits for a call into C; the kernel's limit does not, and the error still names the template."""

    def killed(*arguments: Any, **options: Any) -> Finished:
        return Finished(b'{"ready": true}\n{"text": "1"}\n{"tex', b"", returncode=-24, begun=2)

    monkeypatch.setattr(processes, "run", killed)
    with pytest.raises(InvalidTemplate) as refused:
        render_templates([TemplateSource("first", ""), TemplateSource("second", ""), TemplateSource("third", "")])
    assert refused.value.place["template"] == "second"
    assert "1 s" in refused.value.message


def test_a_killed_process_still_tells_which_template_it_was_at():
    """Its answers come together, and those before the one that killed it were not sent yet."""
    endless = "{% for a in big %}{% for b in big %}{{ long|slugify }}{% endfor %}{% endfor %}"
    sources = [TemplateSource(str(n), "{{ x }}", {"x": n}) for n in range(20)]
    sources[13] = TemplateSource("endless", endless, {"big": "x" * 300, "long": "word " * 10_000})
    with pytest.raises(InvalidTemplate) as refused:
        render_templates(sources, limits=TemplateLimits(cpu_seconds=50, batch_seconds=1.0))
    assert refused.value.place["template"] == "endless"
    assert "1 s" in refused.value.message


@pytest.mark.parametrize(
    ("said", "error", "code"), [(b'{"ready": true}\n', InvalidTemplate, "invalid_template"),
                                (None, TemporaryFailure, "temporary_failure")]
)  # fmt: skip
def test_the_wall_clock_is_limited(monkeypatch, said, error, code):
    def late(*arguments: Any, timeout: float | None = None, **options: Any) -> tuple[bytes, bytes]:
        if timeout is None:
            return b"", b""
        assert timeout == 60
        raise subprocess.TimeoutExpired("x", 60, output=said)

    monkeypatch.setattr(subprocess.Popen, "communicate", late)
    with pytest.raises(error, match="60 s") as refused:
        render("x")
    assert refused.value.code == code


def test_the_first_failure_is_named():
    sources = [TemplateSource("good", "a"), TemplateSource("bad", "{% if %}"), TemplateSource("worse", "{% for %}")]
    with pytest.raises(InvalidTemplate) as refused:
        render_templates(sources)
    assert refused.value.place["template"] == "bad"


@pytest.mark.parametrize(
    ("context", "word"),
    [
        ({"x": math.nan}, "JSON"),
        ({"x": object()}, "JSON"),
        ({"x": "y" * 5_000_000}, "larger"),
        ("text", "object"),
    ],
)
def test_a_context_is_json(context, word):
    with pytest.raises(InvalidTemplate, match=word):
        render_templates([TemplateSource("t", "", context)])


def test_a_context_that_holds_itself():
    context: dict[str, Any] = {}
    context["self"] = context
    assert "JSON" in refusal("", context).message


def test_sizes():
    assert "larger" in refusal("x" * (512 * 1024 + 1)).message
    with pytest.raises(InvalidTemplate):
        render_templates([TemplateSource("t", 7)])  # type: ignore[arg-type]
    with pytest.raises(QuotaExceeded) as refused:
        render_templates([TemplateSource("t", "x" * 2000)], limits=TemplateLimits(batch_bytes=1000))
    assert refused.value.place["limit"] == "batch_bytes"
    with pytest.raises(InvalidTemplate, match="together") as over:
        render_templates(
            [TemplateSource("a", "12345"), TemplateSource("b", "123456")], limits=TemplateLimits(batch_output_bytes=10)
        )
    assert over.value.place["template"] == "b"


def test_half_a_pair_of_characters_is_handed_on():
    assert render("{{ x }}é", {"x": "\ud800"}) == "\ud800é"


def test_a_process_that_does_not_start_is_our_fault_and_not_the_templates(monkeypatch):
    processes.close()
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RepomillError) as failure:
        render("x")
    assert failure.value.code == "internal_error"
    processes.close()


@pytest.fixture
def started(monkeypatch) -> list[dict[str, Any]]:
    """Return what each process is started with from now on."""
    processes.close()
    calls: list[dict[str, Any]] = []
    real = subprocess.Popen

    def start(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        calls.append({**options, "command": command})
        return real(command, **options)

    monkeypatch.setattr(subprocess, "Popen", start)
    return calls


def test_the_process_has_nothing_of_ours(monkeypatch, started):
    monkeypatch.setenv("REPOMILL_CANARY", "canary")
    assert render("{{ x }}", {"x": "secret value"}) == "secret value"
    assert len(started) == 2
    for options in started:
        assert set(options["env"]) <= {"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"}
        assert "secret value" not in str(options["command"])


def test_a_thousand_small_templates_are_one_process_and_the_next_one_is_started_ahead(started):
    sources = [TemplateSource(str(n), "x = {{ n }}\n", {"n": n}) for n in range(1000)]
    for batches in (1, 2, 3):
        assert render_templates(sources) == [f"x = {n}\n" for n in range(1000)]
        assert len(started) == batches + 1


def test_each_batch_has_a_process_of_its_own(monkeypatch):
    asked: list[int] = []
    real = subprocess.Popen.communicate

    def communicate(process: Any, *arguments: Any, **options: Any) -> Any:
        asked.append(process.pid)
        return real(process, *arguments, **options)

    monkeypatch.setattr(subprocess.Popen, "communicate", communicate)
    assert [render("{% cycle 1 2 %}") for _ in range(3)] == ["1"] * 3
    assert len(set(asked)) == 3


def test_a_process_that_died_waiting_is_replaced():
    assert render("1") == "1"
    spare = processes._spare
    assert spare
    os.kill(spare.process.pid, signal.SIGKILL)
    assert render("2") == "2"
    assert spare.process.returncode == -signal.SIGKILL


def test_a_process_that_gives_up_at_that_moment_is_replaced(monkeypatch):
    assert render("1") == "1"
    spare = processes._spare
    assert spare
    real = spare.process.poll

    def poll() -> None:
        monkeypatch.setattr(spare.process, "poll", real)
        os.kill(spare.process.pid, signal.SIGKILL)

    monkeypatch.setattr(spare.process, "poll", poll)
    assert render("2") == "2"


def test_closing_ends_the_process_that_waits():
    assert render("1") == "1"
    spare = processes._spare
    processes.close()
    assert spare
    assert spare.process.returncode == -signal.SIGKILL
    processes.close()


def test_a_fork_leaves_the_waiting_process_to_its_owner():
    assert render("1") == "1"
    spare = processes._spare
    assert spare
    child = os.fork()
    if child == 0:
        os._exit(0 if processes._spare is None else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert spare.process.poll() is None
    assert render("2") == "2"


def test_the_waiting_process_ends_with_its_owner():
    program = (
        "from backend.apps.projects.services.templates import TemplateSource, processes, render_templates\n"
        "render_templates([TemplateSource('t', 'x')])\n"
        "print(processes._spare.process.pid, flush=True)\n"
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    spare = int(ended.stdout)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{spare}/cmdline").exists() and b"template_child" in Path(f"/proc/{spare}/cmdline").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.05)


PIECES = ["{%", "%}", "{{", "}}", "{#", "#}", "{", "\n", "a", "{% verbatim %}", "{% endverbatim %}"]


@given(st.text(alphabet="{%}#\n x", max_size=60) | st.lists(st.sampled_from(PIECES)).map("".join))
def test_the_lexer_is_djangos_without_its_slowness(source):
    def told(lexer: Lexer) -> list[tuple[Any, ...]]:
        return [(token.token_type, token.contents, token.lineno) for token in lexer.tokenize()]

    assert told(LinearLexer(source)) == told(Lexer(source))


@pytest.mark.parametrize("text", ["{% if ", "{#", "{", "{{", "{%\n", "{{x}"])
def test_the_lexer_takes_linear_time(text):
    start = time.process_time()
    LinearLexer(text * (500_000 // len(text))).tokenize()
    assert time.process_time() - start < 2
