"""Exports to GitLab: the shared contract, against a stateful stand-in that answers as a real GitLab was seen to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backend.apps.projects.errors import CredentialRejected, RepositoryExists
from backend.apps.projects.services.repository_exporter import RepositoryExporter
from backend.errors import InvalidInput, RateLimited, RemoteRefused
from tests import corpus
from tests.integration.hosts.api_server import ApiServer, Call, Fault, Reply
from tests.integration.hosts.contract import HostContract
from tests.integration.hosts.gitlab_server import ALICE, BOB, GROUP, READER, GitLabServer

pytestmark = pytest.mark.integration


class Account:
    """The account of alice."""

    method = "export_to_gitlab"

    def __init__(self, server: GitLabServer) -> None:
        self.server = server
        self.creation = Fault(verb="POST", path="/api/v4/projects", times=0)

    def full_name(self, name: str) -> str:
        return f"alice/{name}"

    def export(self, exporter: RepositoryExporter, name: str, commit: str, **options: Any) -> dict[str, Any]:
        token = options.pop("token", ALICE)
        return exporter.export_to_gitlab(token, name, commit=commit, base_url=self.server.origin, **options)

    def export_to(self, exporter: RepositoryExporter, full_name: str, commit: str, **options: Any) -> dict[str, Any]:
        owner, _, name = full_name.rpartition("/")
        return self.export(exporter, name, commit, namespace=owner, **options)

    def make(self, name: str, *, description: str = "") -> None:
        data = {"name": name, "path": name, "description": description}
        assert self.server.answer(Call("POST", "/api/v4/projects", data, f"Bearer {ALICE}")).status == 201

    def folder(self, name: str) -> Path:
        return self.server.folder / f"alice/{name}.git"

    def shown(self, name: str) -> dict[str, Any]:
        found = self.server.project(f"alice/{name}")
        assert found is not None
        return {
            "description": found.description,
            "topics": found.topics,
            "private": found.visibility == "private",
            "default_branch": found.default_branch,
        }


@pytest.fixture
def server(tmp_path):
    with GitLabServer(tmp_path / "served") as server:
        yield server


@pytest.fixture
def place(server):
    return Account(server)


@pytest.fixture
def evil(tmp_path):
    with ApiServer(tmp_path / "evil") as server:
        yield server


@pytest.fixture
def token():
    return ALICE


@pytest.fixture(params=["http_url_to_repo", "web_url"])
def alter(request):
    def change(data: dict[str, Any], origin: str) -> dict[str, Any]:
        return data | {request.param: f"{origin}/{data['path_with_namespace']}.git"}

    return change


class TestGitLab(HostContract):
    """The contract, and what only GitLab has."""

    @pytest.mark.parametrize("namespace", [GROUP, GROUP.upper(), "alice"])
    def test_a_nested_group_by_its_full_path(self, place, work, name, namespace):
        result = place.export_to(work.exporter, f"{namespace}/{name}", work.commit("1"), visibility="internal")
        assert result["full_name"] == f"{namespace.lower()}/{name}"
        assert place.server.project(result["full_name"]).visibility == "internal"

    def test_groups_that_are_not_ones_own(self, place, work, name):
        with pytest.raises(RemoteRefused, match="namespace is not valid"):
            place.export_to(work.exporter, f"team/platform/{name}", work.commit("1"))
        with pytest.raises(RemoteRefused, match="Namespace Not Found"):
            place.export_to(work.exporter, f"team/nothing/{name}", work.commit("1"))
        assert place.server.projects == {}

    def test_words_that_are_no_groups_make_nothing(self, place, work):
        first = work.commit("1")
        rows = corpus.rows("third_party/reserved_repo_names")
        names = [row["value"] for row in rows if row["kind"] == "gitlab-toplevel-reserved"]
        assert names
        for namespace in names:
            with pytest.raises((InvalidInput, RemoteRefused)):
                place.export_to(work.exporter, f"{namespace}/x", first)
        assert place.server.said("POST") == []

    def test_somebody_elses_private_project_is_not_seen_and_not_touched(self, place, work, name):
        place.server.members["bob"].add(GROUP)
        place.server.members["alice"].discard(GROUP)
        first = work.commit("1")
        place.export_to(work.exporter, f"{GROUP}/{name}", first, token=BOB)
        with pytest.raises(RemoteRefused):
            place.export_to(work.exporter, f"{GROUP}/{name}", work.commit("2", parent=first))
        assert place.server.branches(f"{GROUP}/{name}.git") == {"main": first}

    def test_a_taken_name_that_may_not_be_seen(self, place, work, name):
        place.server.faults.append(Fault(verb="GET", path=".*/projects/.*", reply=Reply(404, {}), times=1000))
        place.make(name)
        with pytest.raises(RepositoryExists, match="may not see it"):
            place.export(work.exporter, name, work.commit("1"))

    def test_a_token_that_may_only_read_is_told_what_it_lacks(self, place, work, name):
        with pytest.raises(CredentialRejected) as rejected:
            place.export(work.exporter, name, work.commit("1"), token=READER)
        assert rejected.value.place["missing_scope"] == "api"
        assert "api" in (rejected.value.hint or "")

    def test_an_archived_project_takes_no_push(self, place, work, name):
        first = work.commit("1")
        place.export(work.exporter, name, first)
        place.server.project(f"alice/{name}").archived = True
        with pytest.raises(RemoteRefused, match="archived"):
            place.export(work.exporter, name, first)

    def test_an_answer_about_another_group_is_refused(self, place, work, name):
        other = Reply(200, {"id": 1, "full_path": "another", "kind": "group"})
        place.server.faults.append(Fault(path=".*/namespaces/.*", reply=other))
        with pytest.raises(RemoteRefused, match="another group"):
            place.export_to(work.exporter, f"{GROUP}/{name}", work.commit("1"))

    def test_the_daily_quota_parks_for_as_long_as_it_says(self, place, work, name):
        said = {"message": {"error": "This endpoint has been requested too many times. Try again later."}}
        place.creation.reply, place.creation.times = Reply(429, said, {"Retry-After": "86400"}), 1
        place.server.faults.append(place.creation)
        with pytest.raises(RateLimited, match="daily quota") as limited:
            place.export(work.exporter, name, work.commit("1"))
        assert limited.value.retry_after == 86_400
