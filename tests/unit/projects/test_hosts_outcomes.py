"""What a host says to a push that needs another scope, or more time."""

from __future__ import annotations

import pytest

from backend.apps.projects.errors import CredentialRejected, GitFailed
from backend.apps.projects.hosts.answers import USUAL_WAIT
from backend.apps.projects.hosts.outcomes import meaning
from backend.errors import RateLimited, RemoteRefused


@pytest.mark.parametrize(
    ("said", "scope"),
    [
        (
            "refusing to allow a Personal Access Token to create or update workflow `.github/workflows/ci.yml`"
            " without `workflow` scope",
            "workflow",
        ),
        (
            "refusing to allow a GitHub App to create or update workflow `.github/workflows/ci.yml`"
            " without `workflows` permission",
            "workflows",
        ),
    ],
)
def test_a_scope_for_workflows_is_named(said: str, scope: str):
    failure = GitFailed("git push failed", output=f"!\tx:refs/heads/main\t[remote rejected] ({said})\n".encode())
    error = meaning(failure, host="github.com")
    assert type(error) is CredentialRejected
    assert error.place["missing_scope"] == scope
    assert said in error.message


def test_another_refusal_is_not_about_scopes():
    failure = GitFailed("x", output=b"!\tx:refs/heads/main\t[remote rejected] (pre-receive hook declined)\n")
    assert type(meaning(failure, host="github.com")) is RemoteRefused


def test_a_limit_at_the_push_uses_up_no_retry():
    error = meaning(GitFailed("x", words="error: The requested URL returned error: 429"), host="github.com")
    assert type(error) is RateLimited
    assert error.retry_after == USUAL_WAIT
