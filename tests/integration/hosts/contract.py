"""What every host of repositories has to do. A new one derives a test class, gives it a `Place`, and passes.

`PushContract` is for all of them, `HostContract` for those that make repositories through an API.
"""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import pytest

from backend.apps.projects.errors import CredentialRejected, Diverged, RepositoryExists
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.repository_exporter import RepositoryExporter
from backend.apps.projects.services.workspace import Workspace
from backend.errors import InvalidInput, RateLimited, RemoteRefused, RemoteUnreachable
from backend.failpoints import Failpoint
from tests.integration.hosts.api_server import ApiServer, Call, Fault, Reply

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SCRIPT = """
import django
django.setup()
from django.conf import settings
settings.GIT_STORES_DIR, settings.GENERATED_PROJECTS_DIR = {stores!r}, {generated!r}
import os, signal
from backend import failpoints
from backend.apps.projects.services.repository_exporter import RepositoryExporter
def strike(point):
    if point.name == {strike_at!r}:
        os.kill(os.getpid(), signal.SIGKILL)
failpoints.install(strike)
exporter = RepositoryExporter({project!r})
exporter.{method}(*{arguments!r}, commit={commit!r}, base_url={base_url!r})
"""
RESULT = {"host", "full_name", "html_url", "clone_url", "default_branch", "branch", "commit"} | {
    "created",
    "adopted",
    "pushed",
}


class Place(Protocol):
    """A host on this machine, and one user's account on it."""

    def full_name(self, name: str) -> str:
        """Return what a repository of the user's is called in full."""

    def export(self, exporter: RepositoryExporter, name: str, commit: str, **options: Any) -> dict[str, Any]:
        """Export to a repository of the user's, by the exporter's own method for this host."""

    def make(self, name: str, *, description: str = "") -> None:
        """Make an empty repository of that name, as a person does on the host's pages."""

    def folder(self, name: str) -> Path:
        """Return where the bare repository lies."""


class Account(Place, Protocol):
    """A place whose repositories are made through an API."""

    server: ApiServer
    creation: Fault
    """Matches the request that makes a repository."""
    method: str
    """The exporter's method for this host."""

    def shown(self, name: str) -> dict[str, Any]:
        """Return description, topics, private and default_branch as the host has them."""

    def export_to(self, exporter: RepositoryExporter, full_name: str, commit: str, **options: Any) -> dict[str, Any]:
        """Export to an organisation's or group's repository."""


class Work:
    """A project with a git store of its own, from which commits are exported."""

    def __init__(self, folder: Path) -> None:
        self.project_id = str(uuid4())
        self.pauses: list[float] = []
        self.exporter = RepositoryExporter(self.project_id, sleep=self.pauses.append)
        self.store = GitStore.for_project(self.project_id)
        self._folder = folder / self.project_id

    def commit(self, content: str, *, parent: str | None = None) -> str:
        workspace = Workspace(self._folder / uuid4().hex)
        workspace.write("README.md", content.encode())
        return self.store.commit(workspace, message="Generate", parent=parent, when=WHEN).commit


def branches(bare: Path) -> dict[str, str]:
    said = _git("--git-dir", str(bare), "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads")
    return dict(line.split() for line in said.splitlines())


def commit_of_somebody(bare: Path, *, on: str | None = None, branch: str = "main") -> str:
    """Put a commit into a bare repository that no project of ours knows."""
    tree = _git("--git-dir", str(bare), "mktree", given="").strip()
    parents = ("-p", on) if on else ()
    made = _git("--git-dir", str(bare), "commit-tree", tree, *parents, "-m", "By somebody").strip()
    _git("--git-dir", str(bare), "update-ref", f"refs/heads/{branch}", made)
    return made


def _git(*arguments: str, given: str | None = None) -> str:
    who = {
        f"GIT_{role}_{part}": "somebody@example.org" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")
    }
    done = subprocess.run(["git", *arguments], env=who, input=given, check=True, capture_output=True, text=True)
    return done.stdout


class PushContract:
    """What a push does, whatever the host."""

    @pytest.fixture(autouse=True)
    def folders(self, settings, tmp_path):
        settings.GIT_STORES_DIR = tmp_path / "stores"
        settings.GENERATED_PROJECTS_DIR = tmp_path / "generated"
        settings.LOCAL_REPOSITORIES_DIR = tmp_path / "local"

    @pytest.fixture
    def work(self, tmp_path):
        return Work(tmp_path / "work")

    @pytest.fixture
    def name(self):
        return f"r-{uuid4().hex[:12]}"

    def test_a_result_says_what_is_there(self, place: Place, work: Work, name: str):
        first = work.commit("1")
        result = place.export(work.exporter, name, first)
        assert set(result) == RESULT
        assert result["full_name"] == place.full_name(name)
        assert (result["branch"], result["default_branch"], result["commit"]) == ("main", "main", first)
        assert (result["adopted"], result["pushed"]) == (False, True)
        assert branches(place.folder(name)) == {"main": first}

    def test_the_same_commit_twice_changes_nothing(self, place: Place, work: Work, name: str):
        first = work.commit("1")
        before = place.export(work.exporter, name, first)
        again = place.export(work.exporter, name, first)
        assert again == before | {"created": False, "pushed": False}

    def test_the_next_commit_follows(self, place: Place, work: Work, name: str):
        first = work.commit("1")
        place.export(work.exporter, name, first)
        second = work.commit("2", parent=first)
        result = place.export(work.exporter, name, second)
        assert (result["created"], result["adopted"], result["pushed"]) == (False, False, True)
        assert branches(place.folder(name)) == {"main": second}

    def test_another_branch_is_pushed_beside(self, place: Place, work: Work, name: str):
        first = work.commit("1")
        place.export(work.exporter, name, first)
        second = work.commit("2", parent=first)
        result = place.export(work.exporter, name, second, branch="release/1")
        assert (result["branch"], result["default_branch"]) == ("release/1", "main")
        assert branches(place.folder(name)) == {"main": first, "release/1": second}

    def test_a_branch_that_has_moved_on_is_not_overwritten(self, place: Place, work: Work, name: str):
        first = work.commit("1")
        place.export(work.exporter, name, first)
        theirs = commit_of_somebody(place.folder(name), on=first)
        with pytest.raises(Diverged):
            place.export(work.exporter, name, work.commit("2", parent=first))
        assert branches(place.folder(name)) == {"main": theirs}

    def test_a_rewritten_history_is_not_forced(self, place: Place, work: Work, name: str):
        first = work.commit("1")
        place.export(work.exporter, name, first)
        with pytest.raises(Diverged):
            place.export(work.exporter, name, work.commit("another beginning"))
        assert branches(place.folder(name)) == {"main": first}

    def test_a_repository_with_content_of_its_own_is_left_alone(self, place: Place, work: Work, name: str):
        place.make(name)
        theirs = commit_of_somebody(place.folder(name), branch="theirs")
        with pytest.raises(RepositoryExists):
            place.export(work.exporter, name, work.commit("1"))
        assert branches(place.folder(name)) == {"theirs": theirs}

    def test_a_repository_with_commits_of_this_project_is_taken(self, place: Place, work: Work, name: str):
        first = work.commit("1")
        place.make(name)
        _git("--git-dir", str(work.store.path), "push", str(place.folder(name)), f"{first}:refs/heads/main")
        second = work.commit("2", parent=first)
        assert place.export(work.exporter, name, second)["pushed"] is True

    @pytest.mark.parametrize("branch", ["", "-f", "a..b", "refs/heads/x", "HEAD", "x.lock", "a b", "x\n"])
    def test_odd_branches_are_refused_before_anything_is_asked(self, place: Place, work: Work, name: str, branch: str):
        with pytest.raises(InvalidInput):
            place.export(work.exporter, name, work.commit("1"), branch=branch)


class HostContract(PushContract):
    """What a host does that makes repositories through an API."""

    def test_a_new_repository_is_private_and_has_what_was_wanted(self, place: Account, work: Work, name: str):
        options = {"description": "Greets; in \N{EM DASH} UTF-8.", "topics": ["greeting", "demo"], "branch": "trunk"}
        result = place.export(work.exporter, name, work.commit("1"), **options)
        assert (result["created"], result["default_branch"]) == (True, "trunk")
        assert place.shown(name) == {
            "description": options["description"],
            "topics": ["greeting", "demo"],
            "private": True,
            "default_branch": "trunk",
        }

    def test_without_a_description_no_trace_of_the_mark_is_left(self, place: Account, work: Work, name: str):
        place.export(work.exporter, name, work.commit("1"))
        assert place.shown(name)["description"] == ""

    def test_what_people_changed_later_stays(self, place: Account, work: Work, name: str):
        first = work.commit("1")
        place.export(work.exporter, name, first, description="ours")
        writes = [call for call in place.server.calls if call.verb != "GET"]
        place.export(work.exporter, name, work.commit("2", parent=first), description="another")
        assert [call for call in place.server.calls if call.verb != "GET"] == writes
        assert place.shown(name)["description"] == "ours"

    def test_an_empty_repository_of_somebody_else_is_refused(self, place: Account, work: Work, name: str):
        place.make(name, description="kept for later")
        with pytest.raises(RepositoryExists) as refused:
            place.export(work.exporter, name, work.commit("1"))
        assert refused.value.code == "repository_exists"
        assert branches(place.folder(name)) == {}
        assert place.shown(name)["description"] == "kept for later"

    def test_a_lost_answer_leads_to_one_repository(self, place: Account, work: Work, name: str):
        place.creation.lose, place.creation.times = True, 1
        place.server.faults.append(place.creation)
        result = place.export(work.exporter, name, work.commit("1"), description="d")
        assert (result["created"], result["adopted"], result["pushed"]) == (False, True, True)
        assert len(self.creations(place)) == 1
        assert place.shown(name)["description"] == "d"

    @pytest.mark.parametrize("strike_at", [None, Failpoint.CREATED])
    def test_the_repository_of_a_process_that_was_killed_is_adopted(
        self, place: Account, work: Work, name: str, token: str, settings, strike_at: Failpoint | None
    ):
        """By SIGKILL, when the host has made the repository: its answer is on the way, or has come."""
        first = work.commit("1")
        script = SCRIPT.format(
            stores=str(settings.GIT_STORES_DIR),
            generated=str(settings.GENERATED_PROJECTS_DIR),
            project=work.project_id,
            method=place.method,
            arguments=(token, name),
            commit=first,
            base_url=place.server.origin,
            strike_at=strike_at and strike_at.name,
        )
        environment = os.environ | {"REPOMILL_DATA_DIR": str(settings.DATA_DIR)}
        process = subprocess.Popen([sys.executable, "-c", script], env=environment, stderr=subprocess.PIPE)
        if strike_at is None:
            place.creation.after, place.creation.times = lambda call: process.kill(), 1
            place.server.faults.append(place.creation)
        _, said = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL, said
        assert branches(place.folder(name)) == {}
        result = place.export(work.exporter, name, first)
        assert (result["created"], result["adopted"], result["pushed"]) == (False, True, True)
        assert len(self.creations(place)) == 1

    def test_what_an_interrupted_attempt_made_is_adopted(self, place: Account, work: Work, name: str):
        first = work.commit("1")
        self.killed_after_creation(place, work, name, first)
        assert branches(place.folder(name)) == {}
        result = place.export(work.exporter, name, first)
        assert (result["created"], result["adopted"]) == (False, True)
        assert len(self.creations(place)) == 1

    def test_another_project_does_not_adopt_it(self, place: Account, work: Work, name: str, tmp_path: Path):
        self.killed_after_creation(place, work, name, work.commit("1"))
        other = Work(tmp_path / "other")
        with pytest.raises(RepositoryExists):
            place.export(other.exporter, name, other.commit("1"))
        assert branches(place.folder(name)) == {}

    def test_a_mark_that_was_copied_means_nothing(self, place: Account, work: Work, name: str):
        first = work.commit("1")
        self.killed_after_creation(place, work, name, first)
        place.make(f"{name}-2", description=place.shown(name)["description"])
        with pytest.raises(RepositoryExists):
            place.export(work.exporter, f"{name}-2", first)

    def test_an_adopted_repository_that_somebody_filled_is_left_alone(self, place: Account, work: Work, name: str):
        first = work.commit("1")
        self.killed_after_creation(place, work, name, first)
        theirs = commit_of_somebody(place.folder(name))
        with pytest.raises(RepositoryExists):
            place.export(work.exporter, name, first)
        assert branches(place.folder(name)) == {"main": theirs}

    def test_a_push_without_its_last_settings_is_completed(self, place: Account, work: Work, name: str):
        first = work.commit("1")
        place.server.faults.append(Fault(verb="PATCH|PUT", reply=Reply(403, {"message": "not now"})))
        with pytest.raises(RemoteRefused):
            place.export(work.exporter, name, first, description="d", topics=["t"])
        result = place.export(work.exporter, name, first, description="d", topics=["t"])
        assert (result["adopted"], result["pushed"]) == (True, False)
        assert place.shown(name) == {"description": "d", "topics": ["t"], "private": True, "default_branch": "main"}

    def test_two_attempts_at_once_make_one(self, place: Account, work: Work, name: str):
        """The other one makes it between our look and our creation."""
        first = work.commit("1")

        def other(call: Call) -> None:
            place.server.answer(call)

        place.creation.before, place.creation.times = other, 1
        place.server.faults.append(place.creation)
        result = place.export(work.exporter, name, first)
        assert (result["created"], result["adopted"], result["pushed"]) == (False, True, True)

    def test_a_repository_that_is_not_ready_is_waited_for(self, place: Account, work: Work, name: str):
        place.server.not_ready = 5
        result = place.export(work.exporter, name, work.commit("1"))
        assert result["created"] is True
        assert len(work.pauses) >= 5

    def test_settings_that_are_not_found_yet_are_tried_again(self, place: Account, work: Work, name: str):
        place.server.faults.append(Fault(verb="PATCH|PUT", reply=Reply(404, {"message": "Not Found"}), times=2))
        assert place.export(work.exporter, name, work.commit("1"), description="d")["created"] is True
        assert place.shown(name)["description"] == "d"

    def test_one_that_stays_away_may_be_tried_again(self, place: Account, work: Work, name: str):
        place.server.not_ready = 1000
        with pytest.raises(RemoteUnreachable) as away:
            place.export(work.exporter, name, work.commit("1"))
        assert away.value.retryable
        place.server.not_ready = 0
        assert place.export(work.exporter, name, work.commit("1"))["adopted"] is True

    @pytest.mark.parametrize("status", [500, 502, 503, 408])
    def test_a_fault_of_a_moment_passes(self, place: Account, work: Work, name: str, status: int):
        place.server.faults.append(Fault(verb="GET", reply=Reply(status, b"<html>Oops</html>")))
        assert place.export(work.exporter, name, work.commit("1"))["created"] is True
        assert len(work.pauses) == 1

    def test_a_fault_that_stays_may_be_tried_again(self, place: Account, work: Work, name: str):
        place.server.faults.append(Fault(reply=Reply(503, {"message": "down"}), times=1000))
        with pytest.raises(RemoteUnreachable, match="down"):
            place.export(work.exporter, name, work.commit("1"))
        assert len(place.server.calls) == 4

    def test_a_broken_connection_is_tried_again(self, place: Account, work: Work, name: str):
        place.server.faults.append(Fault(verb="GET", lose=True))
        assert place.export(work.exporter, name, work.commit("1"))["created"] is True

    @pytest.mark.parametrize("where", ["GET", "POST"])
    def test_a_limit_becomes_a_wait_and_nothing_is_repeated(self, place: Account, work: Work, name: str, where: str):
        place.server.faults.append(
            Fault(verb=where, reply=Reply(429, {"message": "Too many."}, {"Retry-After": "1234"}), times=1000)
        )
        with pytest.raises(RateLimited, match=r"asks to wait until 20\d\d-.*Z .*: Too many") as limited:
            place.export(work.exporter, name, work.commit("1"))
        assert limited.value.retry_after == 1234
        assert {"limit", "until"} <= set(limited.value.place)
        assert len([call for call in place.server.calls if call.verb == where]) == 1
        assert work.pauses == []

    @pytest.mark.parametrize("status", [400, 402, 409, 410, 418, 422, 451])
    def test_every_other_refusal_fails_at_once_in_the_hosts_words(
        self, place: Account, work: Work, name: str, status: int
    ):
        place.creation.reply = Reply(status, {"message": "no such plan"})
        place.creation.times = 1000
        place.server.faults.append(place.creation)
        with pytest.raises((RemoteRefused, RepositoryExists), match="no such plan") as refused:
            place.export(work.exporter, name, work.commit("1"))
        assert not refused.value.retryable

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_redirects_are_not_followed(self, place: Account, work: Work, name: str, status: int):
        headers = {"Location": f"{place.server.origin}/elsewhere"}
        place.creation.reply, place.creation.times = Reply(status, {"full_name": place.full_name(name)}, headers), 1
        place.server.faults.append(place.creation)
        with pytest.raises(RemoteRefused, match="somewhere else"):
            place.export(work.exporter, name, work.commit("1"))
        assert not any("elsewhere" in call.path for call in place.server.calls)

    @pytest.mark.parametrize("data", [b"", b"<html>", b"[]", b"null", b'{"id": "x"}', b"{}", b'{"id": true}'])
    def test_answers_that_make_no_sense_are_refused(self, place: Account, work: Work, name: str, data: bytes):
        place.creation.reply, place.creation.times = Reply(201, data), 1000
        place.server.faults.append(place.creation)
        with pytest.raises((RemoteRefused, RemoteUnreachable)):
            place.export(work.exporter, name, work.commit("1"))

    def test_a_token_that_is_none_is_rejected(self, place: Account, work: Work, name: str):
        with pytest.raises(CredentialRejected) as rejected:
            place.export(work.exporter, name, work.commit("1"), token="nobodys-token")
        assert rejected.value.code == "credential_rejected"
        assert len(place.server.calls) == 1
        assert "nobodys-token" not in str(rejected.value.as_json())

    def test_an_answer_with_another_address_moves_no_push(
        self, place: Account, work: Work, name: str, evil: ApiServer, alter: Callable[[Any, str], Any]
    ):
        first = work.commit("1")
        place.export(work.exporter, name, first)
        place.server.requests.clear()
        shown = place.server.answer(next(call for call in place.server.calls if call.path.endswith(name)))
        place.server.faults.append(
            Fault(verb="GET", path=f".*/{name}", reply=Reply(200, alter(shown.data, evil.origin)))
        )
        with pytest.raises(RemoteRefused, match="another place"):
            place.export(work.exporter, name, work.commit("2", parent=first))
        assert evil.requests == []
        assert place.server.requests == []

    def test_the_token_is_in_none_of_what_is_said(self, place: Account, work: Work, name: str, token: str, capfd):
        """The host repeats it in every way that it can."""
        echo = f"{token} {base64.b64encode(token.encode()).decode()} Bearer {token}"
        for status in (401, 403, 404, 418, 422, 429, 500):
            place.server.faults.append(
                Fault(reply=Reply(status, {"message": echo, "errors": [{"message": echo}]}), times=9)
            )
            with pytest.raises(Exception) as failed:
                place.export(work.exporter, name, work.commit("1"))
            place.server.faults.clear()
            shown: BaseException | None = failed.value
            while shown is not None:
                assert token not in f"{shown!r} {shown} {getattr(shown, 'place', '')} {getattr(shown, 'hint', '')}"
                shown = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)
        out = "".join(capfd.readouterr())
        assert token not in out

    def creations(self, place: Account) -> list[Call]:
        return [call for call in place.server.calls if call.verb == "POST"]

    def killed_after_creation(self, place: Account, work: Work, name: str, commit: str) -> None:
        """Let an attempt end, as if it were killed, when the repository has just been made."""

        class Killed(BaseException):
            pass

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("backend.apps.projects.hosts.hosted.HostedRepository._target", _raise(Killed))
            with pytest.raises(Killed):
                place.export(work.exporter, name, commit)


def _raise(kind: type[BaseException]) -> Callable[..., Any]:
    def raising(*_: Any, **__: Any) -> Any:
        raise kind

    return raising
