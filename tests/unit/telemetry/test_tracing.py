"""One trace from a request through the row of its run to the call that a link makes."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from backend.apps.agents.services.api_caller import AgentAPICaller
from backend.apps.agents.services.calls import run
from backend.apps.authentication.models import User
from backend.apps.workflows.definitions.check import read_definition
from backend.apps.workflows.models import TaskExecution, WorkflowExecution
from backend.apps.workflows.publishing import _signature
from backend.apps.workflows.services import save_definition, start_execution
from backend.config.environment import ROOT, load
from backend.errors import ConfigurationError, InvalidInput
from backend.telemetry import tracing
from backend.telemetry.middleware import Telemetry
from workers.maintenance.own_process import in_a_process
from workers.observation import observed, trace_parent_of

DEFINITION = 'name: ask\nsteps:\n  - {id: ask, type: api_call, config: {method: GET, endpoint: "/projects/"}}\n'
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.django_db
def test_one_trace_from_the_request_to_the_outgoing_call(spans: InMemorySpanExporter) -> None:
    user = User.objects.create_user("ada")

    def view(request: HttpRequest) -> HttpResponse:
        start_execution(version=save_definition(read_definition(DEFINITION)), inputs={}, user=user)
        return HttpResponse()

    Telemetry(view)(RequestFactory().post("/api/v1/runs/", headers={"traceparent": CALLER}))
    execution = WorkflowExecution.objects.get()
    task = execution.tasks.get()
    assert tracing.TRACEPARENT.fullmatch(execution.trace_parent)
    assert task.trace_parent == ""

    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, stream=httpx.ByteStream(b"{}"))

    with observed(task.pk, method="agents.call"):

        async def work(api: AgentAPICaller) -> object:
            return await api.call("GET", "/projects/")

        run(work, user=user, idempotency_key="k", transport=httpx.MockTransport(answer))

    ended = {span.name: span for span in spans.get_finished_spans()}
    assert list(ended) == ["start run", "POST /no route", "call GET", "agents.call"]
    assert {format(span.context.trace_id, "032x") for span in ended.values()} == {CALLER[3:35]}
    parents = {name: span.parent and format(span.parent.span_id, "016x") for name, span in ended.items()}
    ids = {name: format(span.context.span_id, "016x") for name, span in ended.items()}
    assert parents["POST /no route"] == CALLER[36:52]
    assert parents["start run"] == ids["POST /no route"]
    assert parents["agents.call"] == ids["start run"]
    assert parents["call GET"] == ids["agents.call"]
    # Our own API goes on with it.
    assert sent[0].headers["traceparent"].split("-")[1:3] == [CALLER[3:35], ids["call GET"]]


@pytest.mark.django_db
def test_a_message_says_what_it_continues(django_assert_num_queries) -> None:
    user = User.objects.create_user("ada")
    execution = WorkflowExecution(id=uuid4(), user=user, trace_parent=CALLER)
    of_a_run, by_itself = TaskExecution(execution=execution), TaskExecution(trace_parent=CALLER)
    unknown = TaskExecution(execution_id=execution.pk)
    with django_assert_num_queries(0):
        told = [_signature(task).options.get("headers") for task in (of_a_run, by_itself, unknown)]
    assert told == [{"traceparent": CALLER}, {"traceparent": CALLER}, None]


@pytest.mark.django_db
def test_what_came_with_the_message_is_not_asked_for(spans: InMemorySpanExporter, django_assert_num_queries) -> None:
    with django_assert_num_queries(0), observed(uuid4(), method="agents.call", parent=CALLER):
        pass
    (made,) = spans.get_finished_spans()
    assert made.parent is not None
    assert format(made.parent.span_id, "016x") == CALLER[36:52]


@pytest.mark.django_db
def test_off_it_leaves_nothing_anywhere() -> None:
    user = User.objects.create_user("ada")
    start_execution(version=save_definition(read_definition(DEFINITION)), inputs={}, user=user)
    assert WorkflowExecution.objects.get().trace_parent == ""
    with tracing.span("x") as span:
        span.note(a=1)
        span.fail("y")
        assert tracing.traceparent() == ""
        assert tracing.headers() == {}


def test_off_opentelemetry_is_not_even_imported() -> None:
    # Of everything that speaks of traces; redis-py imports OpenTelemetry by itself wherever it is installed.
    code = (
        "import sys, backend.telemetry.logs, backend.telemetry.tracing as t;"
        "t.span('x').__enter__(); t.traceparent(); t.headers(); t.current_trace_id(); t.check();"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=120).returncode == 0


@pytest.mark.parametrize("given", ["", "x", "00-" + "0" * 32 + "-b7ad6b7169203331-01", CALLER + "\n", CALLER.upper()])
def test_a_malformed_parent_begins_a_trace_of_its_own(spans: InMemorySpanExporter, given: str) -> None:
    with tracing.span("x", parent=given):
        assert tracing.TRACEPARENT.fullmatch(tracing.traceparent())
    (made,) = spans.get_finished_spans()
    assert made.parent is None


def test_an_error_is_told_by_its_code_and_not_by_its_words(spans: InMemorySpanExporter) -> None:
    for error in (InvalidInput("unseen words"), ValueError("unseen words")):
        with pytest.raises(type(error)), tracing.span("x"):
            raise error
    told = [span.status.description for span in spans.get_finished_spans()]
    assert told == ["invalid_input", "ValueError"]
    assert "unseen" not in "".join(span.to_json() for span in spans.get_finished_spans())


@pytest.mark.django_db
def test_a_task_that_is_not_there_has_no_trace() -> None:
    assert trace_parent_of(uuid4()) == ""
    task = TaskExecution.objects.create(key="k", user=User.objects.create_user("a"), trace_parent=CALLER)
    assert trace_parent_of(task.pk) == CALLER


def test_what_is_wanted_must_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = replace(load(), traces_to="/x")
    monkeypatch.setattr(tracing, "load", lambda: wanted)
    tracing.check()
    monkeypatch.setattr(tracing, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match="OpenTelemetry"):
        tracing.check()


@pytest.mark.parametrize(("given", "kept"), [("abcdef-0123456789", True), ("short", False), ("a b\nc" * 5, False)])
def test_every_answer_carries_the_id_of_its_request(given: str, kept: bool) -> None:
    answer = Client().get("/healthz", headers={"X-Request-ID": given})
    assert (answer.headers["X-Request-ID"] == given) is kept
    assert len(answer.headers["X-Request-ID"]) >= 8


def test_spans_of_a_process_that_ends_with_its_work_are_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "spans"
    wanted = replace(load(), traces_to=str(file))
    monkeypatch.setattr(tracing, "load", lambda: wanted)

    def work() -> None:
        with tracing.span("start run"):
            pass

    assert in_a_process(work, name="maintenance.test") == 0
    assert json.loads(file.read_text())["name"] == "start run"


def test_without_traces_there_is_nothing_to_send() -> None:
    tracing.flush()
