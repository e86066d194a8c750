"""What answers of hosts' APIs mean: waits, credentials, faults of a moment, and refusals in the host's words."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from backend.apps.projects.errors import CredentialRejected
from backend.apps.projects.hosts.answers import LONGEST_WAIT, Answer, Manners, is_taken, refusal, words
from backend.errors import RateLimited, RemoteRefused, RemoteUnreachable

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
EPOCH = int(NOW.timestamp())
SECRET = "tok" + "en-CANARY"
MANNERS = Manners(host="github.com", needs="the scope `repo`", secrets=(SECRET,))


def answer(status: int, data: object = None, **headers: str) -> Answer:
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def meant(found: Answer):
    return refusal(found, manners=MANNERS, now=NOW)


@pytest.mark.parametrize(
    ("found", "seconds", "limit"),
    [
        (answer(429, {"message": "x"}, retry_after="30"), 30, "rate limit"),
        (answer(429, {"message": "x"}, retry_after="86400"), 86_400, "daily quota"),
        (answer(429, {"message": "x"}, retry_after="999999"), LONGEST_WAIT, "daily quota"),
        (answer(429, {"message": "x"}, retry_after="0"), 1, "rate limit"),
        (answer(429, {"message": "x"}, retry_after="Sun, 22 Nov 2026 12:05:00 GMT"), 300, "rate limit"),
        (answer(429, {"message": "x"}, retry_after="Sun, 22 Nov 2026 11:05:00 GMT"), 1, "rate limit"),
        (answer(429, {"message": "x"}, retry_after="soon"), 60, "rate limit"),
        (answer(429), 60, "rate limit"),
        (answer(403, {"message": "x"}, retry_after="17"), 17, "secondary rate limit"),
        (answer(403, {"message": "You have exceeded a secondary rate limit. Wait."}), 60, "secondary rate limit"),
        (answer(403, {"message": "You have triggered an abuse detection mechanism."}), 60, "secondary rate limit"),
        (
            answer(
                403,
                {"message": "API rate limit exceeded for user ID 1."},
                x_ratelimit_remaining="0",
                x_ratelimit_limit="5000",
                x_ratelimit_reset=str(EPOCH + 1800),
            ),
            1800,
            "primary rate limit of 5000 requests an hour",
        ),
        (
            answer(
                403,
                {"message": "You have exceeded a secondary rate limit."},
                x_ratelimit_remaining="4321",
                retry_after="120",
            ),
            120,
            "secondary rate limit",
        ),
        (
            answer(
                429,
                b"Retry later",
                ratelimit_name="throttle_authenticated_api",
                ratelimit_limit="2000",
                ratelimit_remaining="0",
                ratelimit_reset=str(EPOCH + 40),
            ),
            40,
            "rate limit throttle_authenticated_api of 2000",
        ),
        # The host's clock and the one here need not agree: its times are of its own.
        (
            answer(
                403,
                {"message": "API rate limit exceeded."},
                x_ratelimit_remaining="0",
                x_ratelimit_reset=str(EPOCH - 300),
                date="Sun, 22 Nov 2026 11:50:00 GMT",
            ),
            300,
            "primary rate limit of some requests an hour",
        ),
        (
            answer(
                429,
                {"message": "x"},
                retry_after="Sun, 22 Nov 2026 13:00:30 GMT",
                date="Sun, 22 Nov 2026 13:00:00 GMT",
            ),
            30,
            "rate limit",
        ),
        # A limit that is over and refuses all the same: nobody asks every second until it is.
        (
            answer(
                403,
                {"message": "API rate limit exceeded."},
                x_ratelimit_remaining="0",
                x_ratelimit_reset=str(EPOCH - 5),
                date="at noon",
            ),
            60,
            "primary rate limit of some requests an hour",
        ),
    ],
)
def test_limits_are_waits(found, seconds, limit):
    error = meant(found)
    assert type(error) is RateLimited
    assert (error.retry_after, error.place["limit"]) == (seconds, limit)
    assert error.message.startswith(f"github.com asks to wait until {error.place['until']} ({limit})")
    assert datetime.fromisoformat(error.place["until"]).timestamp() == EPOCH + seconds
    assert error.retryable


@pytest.mark.parametrize(
    ("found", "missing"),
    [
        (answer(401, {"message": "Bad credentials"}), None),
        (answer(401, {"message": "401 Unauthorized"}), None),
        (
            answer(403, {"message": "x"}, x_oauth_scopes="gist, user", x_accepted_oauth_scopes="public_repo, repo"),
            "repo",
        ),
        (answer(403, {"message": "x"}, x_oauth_scopes="", x_accepted_oauth_scopes="repo"), "repo"),
        (answer(404, {"message": "x"}, x_oauth_scopes="gist", x_accepted_oauth_scopes="repo"), "repo"),
        (
            answer(
                403,
                {"message": "Resource not accessible by personal access token"},
                x_accepted_github_permissions="administration=write",
            ),
            "administration=write",
        ),
        (answer(403, {"message": "Resource not accessible by integration"}), None),
        (
            answer(403, {"error": "insufficient_scope", "error_description": "higher privileges", "scope": "api"}),
            "api",
        ),
        (answer(403, {"message": "SAML"}, x_github_sso="required; url=https://github.com/orgs/x/sso"), None),
    ],
)
def test_credentials_are_rejected_with_what_they_lack(found, missing):
    error = meant(found)
    assert type(error) is CredentialRejected
    assert error.code == "credential_rejected"
    assert not error.retryable
    assert missing is None or missing in error.place["missing_scope"]
    assert missing is None or missing in error.message
    assert error.hint


@pytest.mark.parametrize(
    "found",
    [
        answer(403, {"message": "You need admin access to the organization."}),
        answer(403, {"message": "x"}, x_oauth_scopes="repo", x_accepted_oauth_scopes="public_repo, repo"),
        answer(404, {"message": "Not Found"}),
        # Which permissions an endpoint needs is told with every answer to a fine-grained token.
        answer(404, {"message": "Not Found"}, x_accepted_github_permissions="metadata=read"),
        answer(
            403,
            {"message": "You need admin access to the organization."},
            x_accepted_github_permissions="organization_administration=write",
        ),
        answer(404, {"message": "x"}, x_oauth_scopes="repo", x_accepted_oauth_scopes="repo"),
        answer(400, {"message": {"namespace": ["is not valid"]}}),
        answer(422, {"message": "Validation Failed"}),
        answer(302, b"", location="https://evil.invalid/"),
        answer(418),
    ],
)
def test_other_refusals_are_final(found):
    error = meant(found)
    assert type(error) is RemoteRefused
    assert not error.retryable
    assert error.place["status"] == found.status
    assert error.hint
    assert "evil" not in str(error.as_json())


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 520])
def test_faults_of_the_host_may_pass(status):
    error = meant(answer(status, b"<html><title>Unicorn</title></html>"))
    assert type(error) is RemoteUnreachable
    assert "Unicorn" in error.message
    assert "<" not in error.message


def test_a_fault_that_says_how_long_it_takes():
    assert meant(answer(503, b"", retry_after="90")).retry_after == 90


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"message": "no"}, "no"),
        (
            {"message": {"path": ["has already been taken"], "name": ["is bad", "is long"]}},
            "path has already been taken; name is bad; is long",
        ),
        (
            {"message": "Failed.", "errors": [{"resource": "R", "field": "name", "message": "name exists"}]},
            "Failed. - name exists",
        ),
        ({"message": "Failed.", "errors": [{"field": "name", "code": "missing"}]}, "Failed. - name: missing"),
        ({"message": "Failed.", "errors": ["a", "b"]}, "Failed. - a; b"),
        ({"error": "insufficient_scope", "error_description": "More."}, "insufficient_scope - More."),
        ({"base": ["limit reached"]}, "base limit reached"),
        ([{"message": "one"}, "two", 3], "one; two"),
        (b"no", "no"),
        (b"<h1>Sorry</h1>\r\n<p>No.</p>", "Sorry No."),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"", "HTTP 400"),
        ({"message": f"you sent {SECRET}"}, "you sent [redacted]"),
        ({"message": "a\x1b[31mb\u202ec\nd"}, "abc d"),
        ({"message": None, "errors": None}, "HTTP 400"),
        (b"[" * 100_000, None),
    ],
)
def test_the_hosts_own_words(data, said):
    found = words(answer(400, data), secrets=[SECRET])
    assert said is None or found == said
    assert len(found) <= 500


@pytest.mark.parametrize(
    ("found", "taken"),
    [
        (
            answer(
                422,
                {
                    "message": "Repository creation failed.",
                    "errors": [{"message": "name already exists on this account"}],
                },
            ),
            True,
        ),
        (answer(400, {"message": {"path": ["has already been taken"]}}), True),
        (answer(409, {"message": "The repository with the same name."}), True),
        (answer(422, {"message": "name is too long"}), False),
    ],
)
def test_what_says_that_a_name_is_taken(found, taken):
    assert is_taken(meant(found)) is taken


def test_nobody_sees_the_secrets_in_a_repr():
    assert SECRET not in repr(MANNERS)


@pytest.mark.parametrize(
    "body",
    [b'{"a":' * 60 + b'"x"' + b"}" * 60, b"[" * 900 + b'"x"' + b"]" * 900, b'{"message":' * 900 + b'"x"' + b"}" * 900],
    ids=["objects", "lists", "messages"],
)
def test_words_that_lie_deep_are_left_out_and_break_nothing(body):
    """With two looks at each level the first of these would never end."""
    assert type(meant(answer(422, body))) is RemoteRefused


@pytest.mark.parametrize("word", ["eyJ-", "eyJ", "eyJ.", "eyJa.eyJ ", "-"])
def test_long_answers_are_cleaned_in_linear_time(word):
    """In quadratic time it would take a quarter of an hour."""
    long = word * (1024 * 1024 // len(word))
    assert len(words(answer(422, {"message": long}))) < len(long)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("999999999", LONGEST_WAIT),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WAIT),
        ("Sun, 22 Nov 2026 11:05:00 GMT", 1),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999999999", None),
        ("Mon, 01 Jan 99999999999999999999999 00:00:00 GMT", None),
    ],
)
def test_a_fault_that_asks_for_nonsense_is_waited_for_a_day_at_most(asked, seconds):
    error = meant(answer(503, {"message": "x"}, retry_after=asked))
    assert type(error) is RemoteUnreachable
    assert error.retry_after == seconds
