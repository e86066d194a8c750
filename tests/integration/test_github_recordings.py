"""Every error answer in PyGithub's recordings of the real GitHub: what it is taken to mean."""

from __future__ import annotations

import ast
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend.apps.projects.errors import CredentialRejected
from backend.apps.projects.hosts.answers import Answer, Manners, refusal
from backend.errors import RateLimited, RemoteRefused, RemoteUnreachable
from tests.integration.hosts.peers import recordings

pytestmark = pytest.mark.integration

MANNERS = Manners(host="api.example", needs="the scope repo")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def answers(folder: Path) -> Iterator[tuple[str, Answer]]:
    """Read blocks of ten lines and a blank one: address, request, status, headers, body."""
    for path in sorted(folder.glob("*.txt")):
        lines = path.read_text("utf-8").split("\n")
        for start in range(len(lines)):
            if lines[start] not in {"http", "https"} or start + 9 >= len(lines) or not lines[start + 7].isdecimal():
                continue
            headers = {name.lower(): value for name, value in ast.literal_eval(lines[start + 8])}
            yield path.stem, Answer(int(lines[start + 7]), headers, lines[start + 9].encode())


@pytest.fixture(scope="module")
def errors():
    return [(name, answer) for name, answer in answers(recordings()) if answer.status >= 400]


def test_each_means_one_of_four_things(errors):
    seen: Counter[tuple[int, type]] = Counter()
    for name, answer in errors:
        error = refusal(answer, manners=MANNERS, now=NOW)
        seen[answer.status, type(error)] += 1
        assert type(error) in {CredentialRejected, RateLimited, RemoteRefused, RemoteUnreachable}, name
        assert error.retryable == isinstance(error, RateLimited | RemoteUnreachable), name
        assert isinstance(error, RemoteUnreachable) == (answer.status >= 500), name
        data = answer.data
        if isinstance(data, dict) and isinstance(data.get("message"), str):
            assert " ".join(data["message"].split())[:100] in error.message, name
    assert sum(seen.values()) > 30
    assert {status for status, _ in seen} >= {401, 403, 404, 422, 500, 502}


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("Exceptions.testBadAuthentication", CredentialRejected, "Bad credentials"),
        ("SpecificExceptions.testBadCredentials", CredentialRejected, "Bad credentials"),
        ("SpecificExceptions.test2FARequired", CredentialRejected, "two-factor"),
        ("SpecificExceptions.testRateLimitExceeded", RateLimited, "primary rate limit of 60 requests"),
        ("SpecificExceptions.testAuthenticatedRateLimitExceeded", RateLimited, "rate limit"),
        ("Exceptions.testInvalidInput", RemoteRefused, "key is invalid"),
        ("Exceptions.testUnknownObject", RemoteRefused, "Not Found"),
        ("SpecificExceptions.testBadUserAgent", RemoteRefused, "User Agent"),
    ],
)
def test_those_with_a_meaning_of_their_own(errors, name, kind, said):
    found = [answer for recorded, answer in errors if recorded == name]
    assert found, name
    error = refusal(found[-1], manners=MANNERS, now=NOW)
    assert type(error) is kind
    assert said.lower() in json.dumps(error.as_json()).lower()
    if kind is RateLimited:
        assert 1 <= (error.retry_after or 0) <= 86_400
