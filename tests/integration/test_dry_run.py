"""A dry run by the command line and over REST leaves everything as it was: database, files, broker, git, the API."""

from __future__ import annotations

import json
import os
import socket
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.git_http_server import GitHttpServer
from tests.integration.installation import Installation

pytestmark = pytest.mark.integration

WORKFLOW = """\
name: everything
inputs:
  type: object
  required: [name]
  properties: {name: {type: string}, project: {type: string}, names: {type: array, items: {type: string}}}
steps:
  - id: story
    type: api_call
    config: {method: POST, endpoint: "/projects/${{ inputs.project }}/stories/", data: {title: "${{ inputs.name }}"}}
  - id: files
    type: file_generation
    each: ${{ inputs.names }}
    config:
      structure: {"${{ item }}.md": "Of ${{ steps.story.result.id }}"}
      templates: [{output_path: "${{ item }}.py", template: "# {{ n }}", context: {n: "${{ inputs.name }}"}}]
  - id: here
    type: repo_creation
    config: {host: git, repository_name: mill, readme: "# ${{ inputs.name }}"}
  - id: there
    type: repo_creation
    config: {host: git, url: "ORIGIN/mill.git", format: zip}
"""
COUNTS = """
from django.apps import apps
answer = {model._meta.label: model._default_manager.count() for model in apps.get_models()}
"""


class ListeningBroker:
    """Stands where the broker is, answers nothing, and counts who comes."""

    def __init__(self) -> None:
        self.visits = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.visits += 1
            connection.close()

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def broker() -> Iterator[ListeningBroker]:
    listening = ListeningBroker()
    yield listening
    listening.close()


def everything_in(folder: Path) -> dict[str, tuple[int, int]]:
    """Return all files of a data folder with size and time of change, without the database's own."""
    found = {}
    for above, _, names in os.walk(folder):
        for name in names:
            path = Path(above, name)
            if not name.startswith("repomill.sqlite3"):
                found[str(path.relative_to(folder))] = (path.stat().st_size, path.stat().st_mtime_ns)
    return found


def test_the_command_line_reads_and_does_nothing(tmp_path: Path, broker: ListeningBroker) -> None:
    with GitHttpServer(tmp_path / "remotes") as server:
        server.create_repository("mill.git")
        there = Installation(tmp_path / "rm", REDIS_URL=broker.url)
        there.cli("migrate")
        there.cli("projects", "create", "demo")
        workflow = tmp_path / "w.yaml"
        workflow.write_text(WORKFLOW.replace("ORIGIN", server.origin))
        counts, files, visits = there.django(COUNTS), everything_in(there.data_dir), broker.visits

        given = ("--project", "demo", "--input", "name=mill", "--input", 'names=["a", "b"]')
        found = there.json("dry-run", str(workflow), *given)
        told = there.cli("run", str(workflow), "--dry-run", *given)

        assert there.django(COUNTS) == counts
        assert everything_in(there.data_dir) == files
        assert broker.visits == visits
        assert server.requests == []
        assert server.branches("mill.git") == {}
    _check(found)
    assert "nothing is done" in told
    assert "pushes the branch main to mill" in told


def test_rest_says_the_same_and_does_nothing(running: Installation, tmp_path: Path) -> None:
    with GitHttpServer(tmp_path / "remotes") as server:
        server.create_repository("mill.git")
        definition = running.django(
            "from backend.apps.workflows.definitions.check import read_definition\n"
            f"answer = read_definition({WORKFLOW.replace('ORIGIN', server.origin)!r}).data"
        )
        token = running.django(
            "from backend.apps.authentication.models import User\n"
            "from backend.apps.authentication.services.jwt_service import jwt_service\n"
            "answer = jwt_service.generate_token(User.objects.get(username='operator'))"
        )
        info = running.wait_until(running._ready, patience=30, what="the stack")
        made = ("generated-projects", "git-stores", "archives", "repositories")
        before = [everything_in(running.data_dir / folder) for folder in made]
        found = _post(
            f"{info.web_url}/api/v1/workflows/dry-run/",
            {"definition": definition, "project": "demo", "input_data": {"name": "mill", "names": ["a", "b"]}},
            token=token,
        )
        assert [everything_in(running.data_dir / folder) for folder in made] == before
        assert server.requests == []
    counts = running.django(COUNTS)
    for model in ("workflows.Workflow", "workflows.WorkflowExecution", "workflows.TaskExecution", "projects.Story"):
        assert counts[model] == 0
    _check(found)


def _post(url: str, body: dict[str, Any], *, token: str) -> Any:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def _check(found: dict[str, Any]) -> None:
    assert (found["outcome"], found["project"]) == ("completed", "demo"), found
    contents = {file["path"]: file["content"] for file in found["files"]["files"]}
    assert contents == {
        "README.md": "# mill",
        "a.md": "Of «steps.story.result.id»",
        "a.py": "# mill",
        "b.md": "Of «steps.story.result.id»",
        "b.py": "# mill",
    }
    assert [[effect["kind"] for effect in step["effects"]] for step in found["steps"]] == [
        ["requests"],
        ["generates", "generates"],
        ["generates", "packages", "pushes"],
        ["generates", "packages", "pushes"],
    ]
