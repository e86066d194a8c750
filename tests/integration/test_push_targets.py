"""Targets that refuse, and targets that cannot be reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.git_http_server import GitHttpServer
from tests.integration.installation import Installation
from tests.integration.trees import clone, commits

pytestmark = [pytest.mark.integration, pytest.mark.both_databases]

WORKFLOW = """\
name: publish-to
inputs: {type: object, required: [url], properties: {url: {type: string}}}
steps:
  - id: publish
    type: repo_creation
    config: {host: git, url: "${{ inputs.url }}", readme: "# hello"}
"""


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    path = tmp_path / "workflow.yaml"
    path.write_text(WORKFLOW)
    return path


def publish_task(shown):
    return shown["steps"][0]["tasks"][2]


def test_a_refusal_ends_the_run_with_gits_own_words_and_no_retry(running: Installation, workflow: Path, tmp_path: Path):
    with GitHttpServer(tmp_path / "repositories") as server:
        url = server.create_repository("guarded.git")
        server.refuse_pushes("guarded.git", "no pushes on Sunday")
        shown = running.json("run", str(workflow), "--project", "demo", "--input", f"url={url}", "--follow", code=1)
    task = publish_task(shown)
    assert shown["status"] == "failed"
    assert task["attempts"] == 1
    assert task["error"]["code"] == "remote_refused"
    assert "no pushes on Sunday" in task["error"]["message"]
    told = running.cli("show", shown["id"])
    assert "no pushes on Sunday" in told
    assert "attempt 1" in told


def test_an_unreachable_target_is_tried_again_with_growing_pauses_until_it_is_back(
    running: Installation, workflow: Path, tmp_path: Path
):
    server = GitHttpServer(tmp_path / "repositories")
    with server:
        url = server.create_repository("late.git")
    started = running.json("run", str(workflow), "--project", "demo", "--input", f"url={url}")

    def waited_twice():
        shown = running.show(started["id"])
        return shown if publish_task(shown)["retries"] >= 2 else None

    shown = running.wait_until(waited_twice, patience=90, what="two retries")
    assert shown["status"] == "running"
    assert publish_task(shown)["error"]["code"] == "remote_unreachable"
    # It may be trying just now.
    running.wait_until(lambda: "again in" in running.cli("show", started["id"]), patience=60, what="the next pause")

    with server:
        done = running.json("show", started["id"], "--follow")
        assert done["status"] == "completed"
        cloned = clone(url, tmp_path / "clone")
    assert (cloned / "README.md").read_text() == "# hello"
    assert len(commits(cloned)) == 1
    events = running.cli("show", started["id"], "--events")
    pauses = [float(line.rsplit(" Again in ", 1)[1].split()[0]) for line in events.splitlines() if " Again in " in line]
    assert len(pauses) >= 2
    assert pauses == sorted(pauses)
    assert pauses[1] >= pauses[0] * 1.5
