"""The corpus of names of repositories, owners and projects."""

from __future__ import annotations

from backend.apps.credentials.secret import Secret
from backend.apps.projects.hosts.github import GitHubApi
from backend.apps.projects.hosts.gitlab import GitLabApi
from backend.apps.projects.hosts.wishes import Wish
from backend.errors import InvalidInput
from tests import corpus

TOKEN = Secret("some-token")


def accepted(api: type[GitHubApi] | type[GitLabApi], name: str) -> bool:
    try:
        api(wish=Wish(name=name), token=TOKEN)
    except InvalidInput:
        return False
    return True


def test_names_of_repositories():
    rows = corpus.rows("own/repo_names")
    assert rows
    for row in rows:
        for api, column in ((GitHubApi, "expected_github"), (GitLabApi, "expected_gitlab_path")):
            assert accepted(api, row["value"]) == (row[column] == "accept"), (api, row)


def test_reserved_words_are_no_projects():
    rows = [row for row in corpus.rows("third_party/reserved_repo_names") if row["kind"] == "gitlab-project-reserved"]
    assert rows
    assert [row["value"] for row in rows if accepted(GitLabApi, row["value"])] == []


def test_what_github_reserves_for_owners_is_a_fine_name():
    rows = [row for row in corpus.rows("third_party/reserved_repo_names") if row["kind"] == "github-owner-reserved"]
    assert rows
    assert [row["value"] for row in rows if not accepted(GitHubApi, row["value"])] == []
