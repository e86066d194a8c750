"""Pausing, cancelling and resuming on a running stack, while the work really is under way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.git_http_server import GitHttpServer
from tests.integration.installation import Installation
from tests.integration.trees import clone, commits

pytestmark = [pytest.mark.integration, pytest.mark.both_databases]

WORKFLOW = """\
name: control
inputs: {type: object, required: [url], properties: {url: {type: string}, title: {type: string, default: T}}}
steps:
  - id: story
    type: api_call
    config: {method: POST, endpoint: "/projects/${{ run.project }}/stories/", data: {title: "${{ inputs.title }}"}}
  - id: publish
    type: repo_creation
    config: {host: git, url: "${{ inputs.url }}", readme: "# hello"}
  - id: after
    type: api_call
    config: {method: PATCH, endpoint: "/stories/${{ steps.story.result.id }}/", data: {status: done}}
"""
STORIES = """
from backend.apps.projects.models import Story
answer = list(Story.objects.filter(title=%r).values_list("status", flat=True))
"""


class GatedServer(GitHttpServer):
    """Takes every request, and answers none of them while its gate is shut."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.gate = threading.Event()

    def _application(self, environ, respond):
        self.gate.wait(60)
        return super()._application(environ, respond)

    def stop(self) -> None:
        self.gate.set()
        super().stop()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GatedServer]:
    server = GatedServer(tmp_path / "repositories")
    with server:
        yield server


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    path = tmp_path / "workflow.yaml"
    path.write_text(WORKFLOW)
    return path


@pytest.fixture
def start(running: Installation, workflow: Path):
    def begin(url: str, *more: str, code: int = 0):
        return running.json("run", str(workflow), "--project", "demo", "--input", f"url={url}", *more, code=code)

    return begin


def statuses(shown) -> list[str]:
    return [step["status"] for step in shown["steps"]]


def pushing(running: Installation, execution: str):
    """Return the execution once its push is running, and really is at work."""

    def look():
        shown = running.show(execution)
        tasks = shown["steps"][1]["tasks"]
        return shown if tasks and tasks[2]["status"] == "running" else None

    return running.wait_until(look, patience=30, what="a push under way")


def gits(server: GitHttpServer) -> list[str]:
    """Return the command lines of the processes that talk to this server."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if server.origin in line and "git" in line.split(" ")[0]:
            found.append(line)
    return found


def test_a_run_that_waits_for_a_silent_server_is_cancelled_within_seconds(running, server, start):
    started = start(server.create_repository("silent.git"))
    pushing(running, started["id"])
    running.wait_until(lambda: gits(server), patience=10, what="git at work")

    told = running.json("cancel", started["id"])
    assert told["cancelling"] or told["status"] == "cancelled"

    def ended():
        found = running.show(started["id"])
        return found if found["status"] == "cancelled" else None

    shown = running.wait_until(ended, patience=20, what="the end of the cancelled run")
    assert statuses(shown) == ["completed", "cancelled", "cancelled"]
    assert [task["status"] for task in shown["steps"][1]["tasks"]] == ["completed", "completed", "cancelled"]
    assert gits(server) == []
    events = running.cli("show", started["id"], "--events")
    assert "execution cancelling  by operator" in events
    assert "Cancelled by operator." in events
    # By the history, and not by how long two commands took to start beside other tests.
    seconds = running.django(
        "from backend.apps.workflows.models import ExecutionEvent\n"
        f"events = ExecutionEvent.objects.filter(execution_id={started['id']!r})\n"
        "begun = events.get(kind='execution_cancelling').created_at\n"
        "answer = (events.get(kind='execution_cancelled').created_at - begun).total_seconds()"
    )
    assert seconds < 5.5
    exports = running.django(
        "from backend.apps.exports.models import RepositoryExport\n"
        f"found = RepositoryExport.objects.filter(generated_project__workflow_execution_id={started['id']!r})\n"
        "answer = list(found.values_list('status', flat=True))"
    )
    assert exports == ["failed"]
    assert "is cancelled already" in running.cli("cancel", started["id"], code=5)


def test_the_worker_goes_on_after_it_was_interrupted(running, server, start):
    server.gate.set()
    done = start(server.create_repository("next.git"), "--follow")
    assert done["status"] == "completed"


def test_a_paused_run_begins_nothing_more_until_it_is_resumed(running, server, start):
    started = start(server.create_repository("paused.git"))
    pushing(running, started["id"])
    assert running.json("pause", started["id"])["paused"] is True
    server.gate.set()

    def pushed():
        shown = running.show(started["id"])
        return shown if shown["steps"][1]["status"] == "completed" else None

    running.wait_until(pushed, patience=30, what="the end of the push")
    # Longer than the reconciler's second: it would have found what waits.
    time.sleep(2.5)
    shown = running.show(started["id"])
    assert (shown["status"], shown["paused"]) == ("running", True)
    assert statuses(shown) == ["completed", "completed", "pending"]
    assert "paused" in running.cli("executions")

    done = running.json("resume", started["id"], "--follow")
    assert done["status"] == "completed"
    assert done["steps"][1]["tasks"][2]["attempts"] == 1


def test_a_refused_push_is_mended_and_the_run_resumed_with_all_it_had(running, server, start, tmp_path):
    server.gate.set()
    url = server.create_repository("guarded.git")
    server.refuse_pushes("guarded.git", "no pushes on Sunday")
    failed = start(url, "--input", "title=Resumed", "--follow", code=1)
    assert statuses(failed) == ["completed", "failed", "skipped"]

    server.accept_pushes("guarded.git")
    done = running.json("resume", failed["id"], "--follow")
    assert done["status"] == "completed"
    assert statuses(done) == ["completed"] * 3
    assert done["steps"][0] == failed["steps"][0]
    assert [task["attempts"] for task in done["steps"][1]["tasks"]] == [1, 1, 2]
    assert running.django(STORIES % "Resumed") == ["done"]
    assert len(commits(clone(url, tmp_path / "clone"))) == 1

    again = running.json("rerun", failed["id"], "--input", "title=Again", "--follow")
    assert again["id"] != failed["id"]
    assert again["inputs"] == {"url": url, "title": "Again"}
    assert again["steps"][1]["result"]["pushed"] is False
    assert running.django(STORIES % "Again") == ["done"]
