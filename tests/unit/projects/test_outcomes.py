"""What the failures of git mean."""

from __future__ import annotations

import pytest

from backend.apps.projects.errors import CredentialRejected, Diverged, GitFailed
from backend.apps.projects.hosts.outcomes import meaning
from backend.errors import RateLimited, RemoteRefused, RemoteUnreachable

HTTP = "fatal: unable to access 'https://h/r/': "


@pytest.mark.parametrize(
    ("words", "output", "error"),
    [
        (HTTP + "Could not resolve host: h", "", RemoteUnreachable),
        (HTTP + "Failed to connect to h port 443: Connection refused", "", RemoteUnreachable),
        (HTTP + "The requested URL returned error: 502", "", RemoteUnreachable),
        (HTTP + "The requested URL returned error: 408", "", RemoteUnreachable),
        ("error: RPC failed; HTTP 503 curl 22\nfatal: the remote end hung up unexpectedly", "", RemoteUnreachable),
        ("fatal: early EOF", "", RemoteUnreachable),
        (HTTP + "Operation too slow. Less than 1000 bytes/sec transferred the last 30 seconds", "", RemoteUnreachable),
        (HTTP + "The requested URL returned error: 429", "", RateLimited),
        (HTTP + "The requested URL returned error: 403", "", CredentialRejected),
        ("remote: HTTP Basic: Access denied\nfatal: Authentication failed for 'https://h/r/'", "", CredentialRejected),
        ("fatal: could not read Username for 'https://h': terminal prompts disabled", "", CredentialRejected),
        ("remote: Not Found\nfatal: repository 'https://h/r/' not found", "", RemoteRefused),
        ("fatal: '/x' does not appear to be a git repository", "", RemoteRefused),
        (HTTP + "The requested URL returned error: 302", "", RemoteRefused),
        (HTTP + "server certificate verification failed. CAfile: none CRLfile: none", "", RemoteRefused),
        ("fatal: something nobody has seen", "", RemoteRefused),
        ("", "!\ta:refs/heads/main\t[rejected] (fetch first)\nDone", Diverged),
        ("", "!\ta:refs/heads/main\t[rejected] (non-fast-forward)\nDone", Diverged),
        ("", "!\ta:refs/heads/main\t[remote rejected] (failed to update ref)\nDone", RemoteUnreachable),
        ("", "!\ta:refs/heads/main\t[remote rejected] (protected branch hook declined)\nDone", RemoteRefused),
        ("", "!\ta:refs/heads/main\t[remote rejected] (unpacker error)\nDone", RemoteRefused),
    ],
)
def test_what_a_failure_means(words, output, error):
    meant = meaning(GitFailed(words=words, output=output.encode()), host="h")
    assert type(meant) is error
    assert meant.retryable is (error in {RemoteUnreachable, RateLimited})
    assert meant.message.startswith("h")


def test_a_timeout_is_unreachable():
    assert type(meaning(GitFailed(timed_out=True), host="h")) is RemoteUnreachable


def test_a_repository_made_a_moment_ago_is_not_ready_rather_than_missing():
    failure = GitFailed(words="fatal: repository 'https://h/r/' not found")
    assert type(meaning(failure, host="h", created=True)) is RemoteUnreachable
    assert type(meaning(failure, host="h")) is RemoteRefused


def test_the_remotes_own_words_are_shown_without_the_secret():
    failure = GitFailed(words="remote: your token CANARY is bad\nfatal: Authentication failed for 'https://h/'")
    meant = meaning(failure, host="h", secrets=["CANARY"])
    assert meant.message == "h: your token [redacted] is bad"
    assert "CANARY" not in str(meant.as_json())
