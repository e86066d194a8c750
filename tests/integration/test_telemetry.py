"""Traces and log lines of real processes: one trace for a run, and every line of a task says whose it is."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.installation import ROOT, Installation

pytestmark = pytest.mark.integration
SECRET = "only-in-the-inputs-77aa"


def test_one_trace_and_lines_that_name_their_run(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("tr")
    traces = folder / "traces.jsonl"
    installation = Installation(folder / "data", REPOMILL_TRACES_TO=str(traces), REPOMILL_LOG_FORMAT="json")
    try:
        installation.start("--no-flower")
        installation.cli("projects", "create", "shop")
        workflow = str(ROOT / "examples" / "publish-service" / "workflow.yaml")
        installation.cli("run", workflow, "--project", "shop", "--input", f"name={SECRET}", "--follow")
        shown = installation.show("last")
        spans = installation.wait_until(lambda: _whole(traces), patience=20, what="all spans")
    finally:
        installation.stop()

    (run_id,) = {span["attributes"]["repomill.run"] for span in spans if span["name"] == "start run"}
    assert run_id == shown["id"]
    links = ["agents.call", "export.export_to_git", "generation.generate", "generation.generate"]
    done = sorted(span["name"] for span in spans if span["kind"] == "SpanKind.CONSUMER")
    assert done == [*links, "generation.package_project"]
    mine = [span for span in spans if span["name"] != "GET /readyz"]
    start = next(span for span in mine if span["name"] == "start run")
    trace = {span["context"]["trace_id"] for span in mine if span["name"] in {"start run", *links}}
    assert trace == {start["context"]["trace_id"]}
    # The call of the agent, and the request that it became in the web process.
    call = next(span for span in mine if span["name"] == "call POST")
    served = next(span for span in mine if span["parent_id"] == call["context"]["span_id"])
    assert served["kind"] == "SpanKind.SERVER"
    assert served["name"].startswith("POST /api/v1/projects/")
    assert {call["context"]["trace_id"], served["context"]["trace_id"]} == trace
    # What git itself asks of the remote belongs to the push.
    push = next(span for span in mine if span["name"] == "git push")
    pushed_by = next(span for span in mine if span["name"] == "export.export_to_git")
    assert (push["kind"], push["parent_id"]) == ("SpanKind.CLIENT", pushed_by["context"]["span_id"])
    assert push["context"]["trace_id"] in trace
    assert SECRET not in traces.read_text()

    lines = [line for file in (folder / "data" / "log").glob("worker-*.log") for line in file.read_text().splitlines()]
    told = [json.loads(line[line.index("{") :]) for line in lines if "{" in line]
    ids = {task["id"] for step in shown["steps"] for task in step["tasks"]}
    assert {entry["task"] for entry in told if "task" in entry} >= ids
    assert SECRET not in "".join(lines)


def _whole(file: Path) -> list[dict[str, Any]] | None:
    spans = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    names = [span["name"] for span in spans]
    return spans if names.count("generation.generate") == 2 and "export.export_to_git" in names else None
