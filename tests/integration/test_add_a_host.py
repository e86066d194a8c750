"""The host that the guide adds, run as it stands there: it passes the whole contract."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from backend.apps.credentials.hosts import HOSTS
from backend.apps.credentials.secret import Secret
from backend.apps.projects.hosts.hosted import HostedRepository
from backend.apps.projects.hosts.wishes import Wish
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.repository_exporter import RepositoryExporter
from tests.integration.hosts.api_server import ApiServer, Call, Fault, Reply
from tests.integration.hosts.contract import HostContract
from tests.integration.hosts.github_server import ALICE, GitHubServer

pytestmark = pytest.mark.integration

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "add-a-host.md"


class GiteaServer(GitHubServer):
    """The emulator, spoken to as Gitea is: another path, another word for topics, 409 for a name that is taken."""

    prefix = "/api/v1"

    def answer(self, call: Call) -> Reply:
        if call.path.endswith("/topics"):
            call = Call(call.verb, call.path, {"names": call.data["topics"]}, call.authorization)
        reply = super().answer(call)
        taken = reply.status == 422 and "already exists" in str(reply.data)
        return Reply(409, {"message": "The repository with the same name already exists."}) if taken else reply

    def _check(self, call: Call) -> None:
        """GitHub's document is not Gitea's."""


@pytest.fixture(scope="module")
def gitea():
    """The module of the guide."""
    (source,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    module = ModuleType("gitea_of_the_guide")
    sys.modules[module.__name__] = module
    exec(compile(source, str(GUIDE), "exec"), module.__dict__)
    yield module
    del sys.modules[module.__name__]


class Account:
    method = ""

    def __init__(self, server: GiteaServer, module: ModuleType) -> None:
        self.server = server
        self._module = module
        self.creation = Fault(verb="POST", path=r"/user/repos|/orgs/[^/]+/repos", times=0)

    def full_name(self, name: str) -> str:
        return f"alice/{name}"

    def export(self, exporter: RepositoryExporter, name: str, commit: str, **options: Any) -> dict[str, Any]:
        token, branch = Secret(options.pop("token", ALICE)), options.pop("branch", "main")
        wanted: dict[str, Any] = {**options, "topics": tuple(options.get("topics", ()))}
        wish = Wish(name=name, **wanted)
        api = self._module.GiteaApi(wish=wish, token=token, base_url=self.server.origin)
        host = HostedRepository(
            api=api, project_id=exporter.project_id, token=token, branch=branch, sleep=exporter._sleep
        )
        store = GitStore.for_project(exporter.project_id)
        return host.push(target=host.find_or_create(), store=store, commit=commit).as_result()

    def make(self, name: str, *, description: str = "") -> None:
        self.server.ask("POST", "/user/repos", {"name": name, "description": description})

    def folder(self, name: str) -> Path:
        return self.server.folder / f"alice/{name}.git"

    def shown(self, name: str) -> dict[str, Any]:
        data = self.server.ask("GET", f"/repos/alice/{name}")
        wanted = {key: data[key] for key in ("topics", "private", "default_branch")}
        return {**wanted, "description": data["description"] or ""}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with GiteaServer(tmp_path_factory.mktemp("gitea")) as server:
        yield server


@pytest.fixture
def place(server, gitea, monkeypatch):
    monkeypatch.setitem(HOSTS, gitea.GITEA.name, gitea.GITEA)
    server.reset()
    return Account(server, gitea)


@pytest.fixture
def evil(tmp_path):
    with ApiServer(tmp_path / "evil") as server:
        yield server


@pytest.fixture
def token():
    return ALICE


@pytest.fixture
def alter():
    return lambda data, origin: data | {"clone_url": f"{origin}/{data['full_name']}.git"}


class TestGitea(HostContract):
    """The contract. The killed process is a task's, which the guide's example has none of."""

    test_the_repository_of_a_process_that_was_killed_is_adopted = None
