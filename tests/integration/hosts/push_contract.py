"""What a push does, whatever the host: the part of the contract that is for hosts without an API too."""

from __future__ import annotations

from uuid import uuid4

import pytest

from backend.apps.projects.errors import Diverged, RepositoryExists
from backend.errors import InvalidInput
from tests.integration.hosts.work import Place, Work, branches, commit_of_somebody, git

RESULT = {"host", "full_name", "html_url", "clone_url", "default_branch", "branch", "commit"} | {
    "created",
    "adopted",
    "pushed",
}


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
        git("--git-dir", str(work.store.path), "push", str(place.folder(name)), f"{first}:refs/heads/main")
        second = work.commit("2", parent=first)
        assert place.export(work.exporter, name, second)["pushed"] is True

    @pytest.mark.parametrize("branch", ["", "-f", "a..b", "refs/heads/x", "HEAD", "x.lock", "a b", "x\n"])
    def test_odd_branches_are_refused_before_anything_is_asked(self, place: Place, work: Work, name: str, branch: str):
        with pytest.raises(InvalidInput):
            place.export(work.exporter, name, work.commit("1"), branch=branch)
