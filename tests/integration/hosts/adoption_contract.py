"""What becomes of a repository that is there already: one's own is taken up again, somebody else's is left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.apps.projects.errors import RepositoryExists
from backend.errors import RemoteRefused
from backend.failpoints import Failpoint
from tests.integration.hosts.api_server import Call, Fault, Reply
from tests.integration.hosts.work import Account, Work, branches, commit_of_somebody

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


class AdoptionContract:
    """What a host does with repositories that an attempt, a person or another project has made."""

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
