"""A workflow's step `repo_creation` on GitHub and GitLab: real workers, broker, database, git, and hosts' APIs."""

from __future__ import annotations

import base64
import gzip
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.hosts import github_server, gitlab_server
from tests.integration.hosts.api_server import ApiServer, Fault, Reply
from tests.integration.installation import Installation
from tests.integration.trees import clone, commits

pytestmark = pytest.mark.integration

GITHUB_TOKEN = "ghp_" + "CANARYCANARYCANARYCANARYCANARY000001"
GITLAB_TOKEN = "glpat-" + "CANARYCANARYCANARY02"
WORKFLOW = """\
name: {host}
steps:
  - id: publish
    type: repo_creation
    max_retries: {retries}
    config:
      host: {host}
      credential: bot
      repository_name: {name}
      readme: "# hello"
      description: Greets.
      topics: [greeting]
      {owner}
"""
ADD = """
from backend.apps.authentication.models import User
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.keeping import add_credential
for user in User.objects.all():
    add_credential(user=user, name="bot", host={host!r}, secret=Secret({token!r}), base_url={url!r})
answer = User.objects.count()
"""
EVENTS = """
from backend.apps.workflows.models import ExecutionEvent
answer = [[event.kind, event.data] for event in ExecutionEvent.objects.filter(execution_id={execution!r})]
"""


class Watched:
    """Looks, while a push is under way, at every process of this machine for the token."""

    def __init__(self, server: ApiServer, token: str) -> None:
        self.found: list[str] = []
        self._spellings = spellings(token)
        real = server._backend

        def backend(environ: dict[str, Any]) -> bytes:
            self.look()
            return real(environ)

        server._backend = backend  # type: ignore[method-assign]

    def look(self) -> None:
        for process in Path("/proc").glob("[0-9]*"):
            for what in ("cmdline", "environ"):
                try:
                    said = (process / what).read_bytes()
                except OSError:
                    continue
                self.found += [f"{process.name} {what}" for spelling in self._spellings if spelling in said]


def spellings(token: str) -> list[bytes]:
    pairs = [f"{user}:{token}" for user in ("x-access-token", "oauth2")]
    return [token.encode(), *(base64.b64encode(text.encode()) for text in (token, *pairs))]


@pytest.fixture(scope="module")
def github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[github_server.GitHubServer]:
    server = github_server.GitHubServer(tmp_path_factory.mktemp("github"))
    server.users = {GITHUB_TOKEN: "alice", github_server.ALICE: "alice"}
    with server:
        yield server
    assert server.violations == []


@pytest.fixture(scope="module")
def gitlab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[gitlab_server.GitLabServer]:
    server = gitlab_server.GitLabServer(tmp_path_factory.mktemp("gitlab"))
    server.users = {GITLAB_TOKEN: "alice"}
    with server:
        yield server


@pytest.fixture
def publish(running: Installation, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    def run(host: str, name: str, *, owner: str = "", retries: int = 0, code: int = 0) -> dict[str, Any]:
        file = tmp_path / "workflow.yaml"
        file.write_text(WORKFLOW.format(host=host, name=name, owner=owner, retries=retries))
        shown: dict[str, Any] = running.json("run", str(file), "--project", "demo", "--follow", code=code)
        return shown

    return run


def credential(running: Installation, *, host: str, token: str, url: str) -> None:
    running.django(
        "from backend.apps.credentials.models import Credential\nanswer = Credential.objects.all().delete()[0]"
    )
    assert running.django(ADD.format(host=host, token=token, url=url)) > 0


def test_a_step_publishes_to_github(running, publish, github, tmp_path):
    credential(running, host="github", token=GITHUB_TOKEN, url=github.origin)
    watched = Watched(github, GITHUB_TOKEN)
    shown = publish("github", "hello", owner="organization: acme")
    assert shown["status"] == "completed", shown
    result = shown["steps"][0]["result"]
    assert (result["host"], result["full_name"], result["created"]) == ("github", "acme/hello", True)
    cloned = clone(str(github.folder / "acme/hello.git"), tmp_path / "clone")
    assert commits(cloned) == [result["commit"]]
    assert (cloned / "README.md").read_text() == "# hello"
    assert github.ask("GET", "/repos/acme/hello")["description"] == "Greets."
    assert watched.found == []
    nowhere(running.data_dir, GITHUB_TOKEN)


def test_a_step_publishes_to_a_nested_group_on_gitlab(running, publish, gitlab, tmp_path):
    credential(running, host="gitlab", token=GITLAB_TOKEN, url=gitlab.origin)
    watched = Watched(gitlab, GITLAB_TOKEN)
    shown = publish("gitlab", "hello", owner=f"namespace: {gitlab_server.GROUP}")
    assert shown["status"] == "completed", shown
    result = shown["steps"][0]["result"]
    assert (result["host"], result["full_name"]) == ("gitlab", f"{gitlab_server.GROUP}/hello")
    cloned = clone(str(gitlab.folder / f"{gitlab_server.GROUP}/hello.git"), tmp_path / "clone")
    assert commits(cloned) == [result["commit"]]
    assert watched.found == []
    nowhere(running.data_dir, GITLAB_TOKEN)


def test_a_limit_is_a_wait_with_its_reason_and_burns_no_retry(running, publish, gitlab):
    credential(running, host="gitlab", token=GITLAB_TOKEN, url=gitlab.origin)
    gitlab.faults.append(
        Fault(
            verb="POST", reply=Reply(429, {"message": {"error": "Too many projects."}}, {"Retry-After": "1"}), times=2
        )
    )
    shown = publish("gitlab", "limited", retries=0)
    assert shown["status"] == "completed", shown
    events = running.django(EVENTS.format(execution=shown["id"]))
    waits = [data for kind, data in events if kind == "task_waits"]
    assert len(waits) == 2
    assert waits[0]["error"]["code"] == "rate_limited"
    assert "asks to wait until 20" in waits[0]["error"]["message"]
    assert "Too many projects" in waits[0]["error"]["message"]
    assert waits[0]["until"]


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(401, {"message": f"Bad {GITHUB_TOKEN}"}), "credential_rejected"),
        (Reply(403, {"message": f"No {GITHUB_TOKEN}"}), "remote_refused"),
        (Reply(422, {"message": "Validation Failed", "errors": [{"message": GITHUB_TOKEN}]}), "remote_refused"),
        (Reply(503, {"message": GITHUB_TOKEN}), "remote_unreachable"),
    ],
)
def test_no_failure_leaves_the_token_anywhere(running, publish, github, reply, code):
    credential(running, host="github", token=GITHUB_TOKEN, url=github.origin)
    github.faults.append(Fault(verb="POST", reply=reply, times=100))
    shown = publish("github", f"failed-{reply.status}", code=1)
    github.faults.clear()
    assert shown["status"] == "failed"
    assert shown["steps"][0]["tasks"][2]["error"]["code"] == code
    assert GITHUB_TOKEN not in json.dumps(shown)
    nowhere(running.data_dir, GITHUB_TOKEN)


def nowhere(folder: Path, token: str) -> None:
    """Every file of the installation: database, broker, logs, git stores, workspaces and archives."""
    looked_at = 0
    for path in folder.rglob("*"):
        if not path.is_file() or path.is_symlink():
            continue
        try:
            content = path.read_bytes()
        except OSError:
            continue
        looked_at += 1
        if content[:2] == b"\x1f\x8b":
            content += gzip.decompress(content)
        assert not [spelling for spelling in spellings(token) if spelling in content], path
    assert looked_at > 10
    assert token not in json.dumps(dict(os.environ))
