"""What answers of hosts mean: pure, so every answer can be tried."""

from datetime import UTC, datetime, timedelta

import pytest

from backend.apps.credentials.errors import CredentialRejected
from backend.apps.credentials.hosts import GITHUB, GITLAB
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.check import concerns
from backend.apps.credentials.services.host_answers import Finding, Quota, from_github, from_gitlab, refusal
from backend.apps.credentials.services.host_requests import Answer
from backend.errors import RateLimited, RemoteRefused, RemoteUnreachable

NOW = datetime(2031, 1, 1, 12, tzinfo=UTC)
TOKEN = "canary0123456789"


def answer(status=200, data=None, **headers):
    hyphenated = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, headers=hyphenated, data=data)


def ask_github(user):
    return from_github(user, kind=GITHUB, host="h", secret=Secret(TOKEN), now=NOW)


def ask_gitlab(user, token):
    return from_gitlab(user, token, kind=GITLAB, host="h", secret=Secret(TOKEN), now=NOW)


def test_a_classic_token_of_github():
    user = answer(
        data={"login": "acme[bot]"},
        x_oauth_scopes="repo, read:org",
        github_authentication_token_expiration="2031-01-31 10:00:00 UTC",
        x_ratelimit_limit="5000",
        x_ratelimit_remaining="12",
        x_ratelimit_reset="1924992000",
    )
    assert ask_github(user) == Finding(
        account="acme[bot]",
        scopes=("repo", "read:org"),
        expires_at=datetime(2031, 1, 31, 10, tzinfo=UTC),
        quota=Quota(limit=5000, remaining=12, resets_at=datetime(2031, 1, 1, tzinfo=UTC)),
    )


@pytest.mark.parametrize(
    ("headers", "scopes"),
    [
        ({}, None),
        ({"x_oauth_scopes": ""}, ()),
        ({"x_oauth_scopes": "repo,,  gist"}, ("repo", "gist")),
        ({"x_oauth_scopes": "repo, <script>"}, None),
        ({"x_oauth_scopes": "repo, CANARY0123456789"}, None),
        ({"x_oauth_scopes": f"repo, {TOKEN}"}, None),
        ({"x_oauth_scopes": f"{TOKEN[:8]}, {TOKEN[8:]}"}, None),
        ({"x_oauth_scopes": "s," * 200}, ("s",) * 100),
    ],
)
def test_scopes_of_github(headers, scopes):
    assert ask_github(answer(data={"login": "x"}, **headers)).scopes == scopes


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2031-01-31 10:00:00 UTC", datetime(2031, 1, 31, 10, tzinfo=UTC)),
        ("2031-01-31 10:00:00 +0200", datetime(2031, 1, 31, 8, tzinfo=UTC)),
        ("2031-01-31T10:00:00Z", datetime(2031, 1, 31, 10, tzinfo=UTC)),
        ("2031-01-31", datetime(2031, 1, 31, tzinfo=UTC)),
        ("", None),
        ("never", None),
        ("0001-01-01 00:00:00 +0200", None),
        (TOKEN, None),
    ],
)
def test_the_end_of_a_token(text, moment):
    found = ask_github(answer(data={"login": "x"}, github_authentication_token_expiration=text))
    assert found.expires_at == moment


@pytest.mark.parametrize(
    ("headers", "quota"),
    [
        ({"x_ratelimit_limit": "60"}, None),
        ({"x_ratelimit_limit": "60", "x_ratelimit_remaining": "x"}, None),
        ({"x_ratelimit_limit": "-1", "x_ratelimit_remaining": "1"}, None),
        (
            {"x_ratelimit_limit": "60", "x_ratelimit_remaining": "0"},
            Quota(limit=60, remaining=0, resets_at=None),
        ),
        (
            {"x_ratelimit_limit": "60", "x_ratelimit_remaining": "0", "x_ratelimit_reset": "999999999999"},
            Quota(limit=60, remaining=0, resets_at=None),
        ),
    ],
)
def test_a_quota_in_numbers_or_not_at_all(headers, quota):
    assert ask_github(answer(data={"login": "x"}, **headers)).quota == quota


@pytest.mark.parametrize(
    "data",
    [
        *(None, [], {}, {"login": None}, {"login": 7}, {"login": ""}, {"login": "a b"}, {"login": "x" * 101}),
        *({"login": TOKEN}, {"login": TOKEN.upper()}, {"login": f"me-{TOKEN}"}, {"login": "Y2FuYXJ5MDEyMzQ1Njc4OQ"}),
    ],
)
def test_an_account_that_is_none_is_refused_and_not_repeated(data):
    with pytest.raises(RemoteRefused, match="is not what GitHub says") as refused:
        ask_github(answer(data=data))
    assert TOKEN not in str(refused.value.as_json()).lower()


def test_a_token_of_gitlab():
    user = answer(data={"username": "ada"}, ratelimit_limit="2000", ratelimit_remaining="1", ratelimit_reset="x")
    token = answer(data={"active": True, "revoked": False, "scopes": ["api"], "expires_at": "2031-01-05"})
    assert ask_gitlab(user, token) == Finding(
        account="ada",
        scopes=("api",),
        expires_at=datetime(2031, 1, 5, tzinfo=UTC),
        quota=Quota(limit=2000, remaining=1, resets_at=None),
    )


@pytest.mark.parametrize(
    ("user", "token", "finding"),
    [
        (answer(401), answer(data={"scopes": ["write_repository"]}), Finding(scopes=("write_repository",))),
        (answer(403), answer(data={"scopes": "api"}), Finding()),
        (answer(data={"username": "ada"}), answer(404), Finding(account="ada")),
        (answer(data={"username": "ada"}), answer(data={"expires_at": None}), Finding(account="ada")),
        (answer(data={"username": "ada"}), answer(data={"scopes": [{"x": 1}]}), Finding(account="ada")),
    ],
)
def test_one_answer_of_gitlab_is_enough(user, token, finding):
    assert ask_gitlab(user, token) == finding


@pytest.mark.parametrize(
    ("user", "token", "error"),
    [
        (answer(401), answer(401), CredentialRejected),
        (answer(401), answer(404), CredentialRejected),
        (answer(401), answer(403), RemoteRefused),
        (answer(data={"username": "ada"}), answer(data={"revoked": True}), CredentialRejected),
        (answer(data={"username": "ada"}), answer(data={"active": False}), CredentialRejected),
        (answer(data={"username": "ada"}), answer(data=[]), RemoteRefused),
        (answer(502), answer(502), RemoteUnreachable),
    ],
)
def test_what_gitlab_refuses(user, token, error):
    with pytest.raises(error) as refused:
        ask_gitlab(user, token)
    assert type(refused.value) is error


@pytest.mark.parametrize(
    ("status", "headers", "error", "wait", "said"),
    [
        (401, {}, CredentialRejected, None, "does not accept"),
        (403, {}, RemoteRefused, None, "its own account"),
        (403, {"x_github_sso": "required; url=https://x"}, RemoteRefused, None, "single sign-on"),
        (403, {"retry_after": "90"}, RateLimited, 90, "asks to wait"),
        (
            403,
            {"x_ratelimit_limit": "1", "x_ratelimit_remaining": "0", "x_ratelimit_reset": "1925035260"},
            RateLimited,
            60,
            "asks to wait",
        ),
        (
            403,
            {"x_ratelimit_limit": "9", "x_ratelimit_remaining": "5", "x_ratelimit_reset": "1925035260"},
            RemoteRefused,
            None,
            "its own account",
        ),
        (429, {}, RateLimited, 60, "asks to wait"),
        (429, {"retry_after": "soon"}, RateLimited, 60, "asks to wait"),
        (404, {}, RemoteRefused, None, "no API of GitHub"),
        (301, {"location": "https://evil.example"}, RemoteRefused, None, "redirect"),
        (500, {}, RemoteUnreachable, None, "fault of its own"),
        (408, {}, RemoteUnreachable, None, "fault of its own"),
        (204, {}, RemoteRefused, None, "no API"),
    ],
)
def test_every_other_answer_is_an_error_with_a_hint(status, headers, error, wait, said):
    found = refusal(answer(status, {"message": TOKEN}, **headers), kind=GITHUB, host="h", now=NOW)
    assert type(found) is error
    assert said in found.message
    assert found.hint
    assert found.retry_after == wait
    assert TOKEN not in str(found.as_json())
    assert "evil" not in str(found.as_json())


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("You have exceeded a secondary rate limit. Please wait.", RateLimited),
        ("You have triggered an abuse detection mechanism.", RateLimited),
        ("Resource not accessible by integration", RemoteRefused),
        (5, RemoteRefused),
    ],
)
def test_a_secondary_limit_is_known_by_its_words_alone(said, error):
    found = refusal(answer(403, {"message": said}), kind=GITHUB, host="h", now=NOW)
    assert type(found) is error
    assert (found.retry_after == 60) is (error is RateLimited)


@pytest.mark.parametrize(
    ("host", "finding", "codes"),
    [
        ("github", Finding(scopes=("repo",)), []),
        ("github", Finding(scopes=("public_repo",)), ["scope_missing"]),
        ("github", Finding(scopes=()), ["scope_missing"]),
        ("github", Finding(), ["scopes_unknown"]),
        ("gitlab", Finding(scopes=("api",)), []),
        ("gitlab", Finding(scopes=("write_repository",)), ["scope_narrow"]),
        ("gitlab", Finding(scopes=("read_api",)), ["scope_missing"]),
        ("gitlab", Finding(), ["scopes_unknown"]),
        ("git", Finding(asked=False), ["not_checked"]),
        ("github", Finding(scopes=("repo",), expires_at=NOW), ["expired"]),
        ("github", Finding(scopes=("repo",), expires_at=NOW + timedelta(days=14)), ["expires_soon"]),
        ("github", Finding(scopes=("repo",), expires_at=NOW + timedelta(days=14, seconds=1)), []),
        (
            "github",
            Finding(scopes=("repo",), quota=Quota(limit=1, remaining=0, resets_at=None)),
            ["quota_used_up"],
        ),
    ],
)
def test_what_a_person_should_see_to(host, finding, codes):
    assert [each.code for each in concerns(finding, host=host, now=NOW)] == codes
