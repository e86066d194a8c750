"""Exports to GitHub: the shared contract, against a stateful emulator and GitHub's own OpenAPI document."""

from __future__ import annotations

import shutil
from pathlib import Path
from time import time
from typing import Any

import pytest

from backend.apps.projects.errors import CredentialRejected, RepositoryExists
from backend.apps.projects.services.repository_exporter import RepositoryExporter
from backend.errors import InvalidInput, RateLimited, RemoteRefused
from tests import corpus
from tests.integration.hosts.api_server import ApiServer, Call, Fault, Reply
from tests.integration.hosts.contract import HostContract
from tests.integration.hosts.github_server import ALICE, BOB, ORGANIZATION, GitHubServer

pytestmark = pytest.mark.integration


class Account:
    """The account of alice."""

    method = "export_to_github"

    def __init__(self, server: GitHubServer) -> None:
        self.server = server
        self.creation = Fault(verb="POST", path=r"/user/repos|/orgs/[^/]+/repos", times=0)

    def full_name(self, name: str) -> str:
        return f"alice/{name}"

    def export(self, exporter: RepositoryExporter, name: str, commit: str, **options: Any) -> dict[str, Any]:
        token = options.pop("token", ALICE)
        return exporter.export_to_github(token, name, commit=commit, base_url=self.server.origin, **options)

    def export_to(self, exporter: RepositoryExporter, full_name: str, commit: str, **options: Any) -> dict[str, Any]:
        owner, _, name = full_name.rpartition("/")
        return self.export(exporter, name, commit, organization=owner, **options)

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
    with GitHubServer(tmp_path_factory.mktemp("github")) as server:
        yield server


@pytest.fixture
def place(server):
    server.reset()
    server.violations.clear()
    yield Account(server)
    assert server.violations == []


@pytest.fixture
def evil(tmp_path):
    with ApiServer(tmp_path / "evil") as server:
        yield server


@pytest.fixture
def token():
    return ALICE


@pytest.fixture(params=["clone_url", "html_url"])
def alter(request):
    def change(data: dict[str, Any], origin: str) -> dict[str, Any]:
        return data | {request.param: f"{origin}/{data['full_name']}.git"}

    return change


class TestGitHub(HostContract):
    """The contract, and what only GitHub has."""

    def test_an_organisation(self, place, work, name):
        result = place.export_to(work.exporter, f"acme/{name}", work.commit("1"), private=False)
        assert (result["full_name"], result["created"]) == (f"acme/{name}", True)
        assert place.server.ask("GET", f"/repos/acme/{name}")["private"] is False

    def test_ones_own_account_may_be_named(self, place, work, name):
        assert place.export_to(work.exporter, f"alice/{name}", work.commit("1"))["full_name"] == f"alice/{name}"

    def test_somebody_elses_organisation(self, place, work, name):
        with pytest.raises(RemoteRefused, match="Forbidden"):
            place.export_to(work.exporter, f"acme/{name}", work.commit("1"), token=BOB)
        with pytest.raises(RemoteRefused, match="Not Found"):
            place.export_to(work.exporter, f"nobody-here/{name}", work.commit("1"))
        assert place.server.said("POST") == [f"/orgs/{ORGANIZATION}/repos"]

    def test_names_that_are_reserved_for_owners_make_nothing(self, place, work):
        first = work.commit("1")
        rows = corpus.rows("third_party/reserved_repo_names")
        names = [row["value"] for row in rows if row["kind"] == "github-owner-reserved"]
        assert names
        for owner in names:
            with pytest.raises((InvalidInput, RemoteRefused)):
                place.export_to(work.exporter, f"{owner}/x", first)
        assert place.server.said("POST") == []

    def test_a_scope_that_is_missing_is_named(self, place, work, name):
        scopes = {"X-OAuth-Scopes": "gist", "X-Accepted-OAuth-Scopes": "public_repo, repo"}
        place.creation.reply, place.creation.times = Reply(404, {"message": "Not Found"}, scopes), 1
        place.server.faults.append(place.creation)
        with pytest.raises(CredentialRejected) as rejected:
            place.export(work.exporter, name, work.commit("1"))
        assert rejected.value.place["missing_scope"] == "public_repo or repo"

    def test_the_hourly_limit_is_waited_for_to_its_end(self, place, work, name):
        headers = {
            "X-RateLimit-Limit": "5000",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": str(int(time()) + 900),
        }
        said = {"message": "API rate limit exceeded for user ID 1."}
        place.server.faults.append(Fault(reply=Reply(403, said, headers)))
        with pytest.raises(RateLimited, match="primary rate limit of 5000") as limited:
            place.export(work.exporter, name, work.commit("1"))
        assert 890 < (limited.value.retry_after or 0) <= 900

    def test_a_repository_that_was_renamed_is_not_followed(self, place, work, name):
        moved = Reply(
            301, {"url": f"{place.server.origin}/api/v3/repositories/1"}, {"Location": "/api/v3/repositories/1"}
        )
        place.server.faults.append(Fault(verb="GET", path=f"/repos/.*/{name}", reply=moved))
        with pytest.raises(RemoteRefused, match="somewhere else"):
            place.export(work.exporter, name, work.commit("1"))
        assert place.server.said("POST") == []

    def test_an_archived_repository_takes_no_push(self, place, work, name):
        first = work.commit("1")
        place.export(work.exporter, name, first)
        shown = place.server.ask("GET", f"/repos/alice/{name}") | {"archived": True}
        place.server.faults.append(Fault(verb="GET", path=f"/repos/.*/{name}", reply=Reply(200, shown)))
        place.server.requests.clear()
        with pytest.raises(RemoteRefused, match="archived"):
            place.export(work.exporter, name, first)
        assert place.server.requests == []

    def test_an_answer_about_another_repository_is_refused(self, place, work, name):
        shown = {"id": 1, "full_name": "alice/other", "html_url": "x", "clone_url": "x", "default_branch": "main"}
        place.creation.reply, place.creation.times = Reply(201, shown), 1
        place.server.faults.append(place.creation)
        with pytest.raises(RemoteRefused, match="alice/other where"):
            place.export(work.exporter, name, work.commit("1"))
        assert place.server.requests == []

    def test_one_that_was_deleted_and_made_anew_is_another(self, place, work, name):
        first = work.commit("1")
        place.export(work.exporter, name, first)
        place.server.ask("DELETE", f"/repos/alice/{name}")
        shutil.rmtree(place.folder(name))
        place.make(name)
        with pytest.raises(RepositoryExists):
            place.export(work.exporter, name, first)

    def test_one_that_people_emptied_is_still_known(self, place, work, name):
        first = work.commit("1")
        place.export(work.exporter, name, first)
        (place.folder(name) / "refs" / "heads" / "main").unlink()
        assert place.export(work.exporter, name, first)["pushed"] is True


def test_the_document_refuses_what_github_would(server):
    server.violations.clear()
    server.answer(Call("POST", "/user/repos", {"description": "no name"}, f"token {ALICE}"))
    server.answer(Call("POST", "/user/repos", {"name": 1}, f"token {ALICE}"))
    server.answer(Call("GET", "/no/such/path", None, f"token {ALICE}"))
    assert len(server.violations) == 3
    server.violations.clear()
