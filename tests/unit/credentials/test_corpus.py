"""The corpus of attacks, as far as it concerns credentials: each row is tried, and a new one must be thought about."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from backend.apps.credentials.models import Credential
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.selectors import get_credential, own_credential, visible_credentials
from backend.apps.credentials.services.check import ask_host
from backend.apps.credentials.services.keeping import add_credential
from backend.cli.credential_view import as_json
from backend.errors import InvalidInput, NotFound, RateLimited, RemoteRefused, RepomillError
from tests.corpus import rows
from tests.unit.credentials.host_server import Reply, github, serving

pytestmark = pytest.mark.django_db

# Where no credential of this app is involved, or where somebody else's code decides.
ELSEWHERE = {
    "own/scm_clients": {"002", "003", "004", "006", "007", "008", "010", "012"},
    "own/http_client": {"006", "007", "008", "009", "010", "011", "012", "013", "016"},
}


def corpus(name: str) -> dict[str, dict[str, str]]:
    return {row["id"].rpartition("-")[2]: row for row in rows(name)}


def test_a_strangers_credential_is_not_found_whatever_is_done_with_it(ada, bob, secret):
    wanted = [
        row
        for row in corpus("own/authz_idempotency").values()
        if "redential" in row.get("resource", "") + row.get("case", "") and "read back" not in row.get("case", "")
    ]
    assert len(wanted) == 4
    stranger = add_credential(user=bob, name="x", host="github", secret=secret, project_id=uuid4())
    before = Credential.objects.values().get()
    for row in wanted:
        assert "404" in row["expected"]
        changing = {"user": ada, "name": stranger.name}
        with pytest.raises(NotFound):
            own_credential(**changing) if "action" in row else get_credential(**changing, project_id=uuid4())
    assert not visible_credentials(user=ada, project_ids=[uuid4()])
    assert Credential.objects.values().get() == before


def test_an_owner_reads_nothing_of_the_value_back(ada, secret, canary):
    (row,) = [row for row in corpus("own/authz_idempotency").values() if "read back" in row.get("case", "")]
    assert "never the secret" in row["expected"]
    shown = json.dumps(as_json(add_credential(user=ada, name="x", host="github", secret=secret), projects={}))
    assert canary not in shown
    # Not even the last four characters, which the row would allow.
    assert canary[-4:] not in shown


@pytest.mark.parametrize("kind", ["github", "gitlab"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_get_nothing(host, secret, canary, kind, status):
    """scm_clients 000 and 001, http_client 000 to 003."""
    with serving() as evil:
        moved = Reply({}, status, {"Location": f"{evil.url}/"})
        host.replies = dict.fromkeys(("/api/v3/user", "/api/v4/user", "/api/v4/personal_access_tokens/self"), moved)
        with pytest.raises(RemoteRefused, match=str(status)):
            ask_host(host=kind, base_url=host.url, secret=secret)
        assert evil.seen == []


def test_a_host_that_reflects_the_header_is_not_repeated(host, secret, canary):
    """scm_clients 005."""
    for status in (200, 400, 401, 403, 422, 500):
        host.replies["/api/v3/user"] = lambda headers, status=status: Reply(
            {"message": headers["authorization"]}, status
        )
        with pytest.raises(RepomillError) as refused:
            ask_host(host="github", base_url=host.url, secret=secret)
        assert canary not in str(refused.value) + repr(refused.value) + str(refused.value.as_json())


@pytest.mark.parametrize(
    "url",
    [
        "http://git.example.org",
        "https://10.0.0.7",
        "https://169.254.169.254",
        "https://[fd00::1]",
        "https://0x7f000001",
    ],
)
def test_an_address_of_the_users_own_choice_is_checked(ada, secret, url):
    """scm_clients 009; a name that leads to such an address is tried in test_check."""
    with pytest.raises(InvalidInput):
        add_credential(user=ada, name="x", host="gitlab", secret=secret, base_url=url)
    assert not Credential.objects.exists()


def test_a_rate_limit_is_waited_for_by_whoever_asks(host, secret):
    """scm_clients 011: nothing sleeps here, the error says how long."""
    host.replies["/api/v3/user"] = Reply({}, 429, {"Retry-After": "86400"})
    with pytest.raises(RateLimited, match="asks to wait") as limited:
        ask_host(host="github", base_url=host.url, secret=secret)
    assert limited.value.retry_after == 86400
    assert len(host.seen) == 1


@pytest.mark.parametrize(
    "body", [b'{"login": "\\ud800"}', b'{"login": NaN}', b"[" * 100_000, b"\xff", b'{"login": 1e999}']
)
def test_json_that_cannot_be_kept(host, secret, body):
    """http_client 015; 014, the endless and the slow answer, is in test_check."""
    host.replies["/api/v3/user"] = Reply(body)
    with pytest.raises(RemoteRefused, match="not what GitHub says"):
        ask_host(host="github", base_url=host.url, secret=secret)


def test_every_row_of_the_clients_is_tried_or_is_elsewhere():
    """The numbers that the tests above, and those of test_check, name."""
    tried = {
        "own/scm_clients": {"000", "001", "005", "009", "011"},
        "own/http_client": {"000", "001", "002", "003", "004", "005", "014", "015", "017"},
    }
    for name, numbers in tried.items():
        assert set(corpus(name)) == numbers | ELSEWHERE[name]


def test_what_the_name_means_now_is_what_is_asked(host, secret, monkeypatch):
    """http_client 017: the name is resolved once, checked, and the connection goes to what was checked."""
    asked = []

    async def rebinding(self, name, port, **_):
        asked.append(name)
        return [(2, 1, 6, "", ("127.0.0.1" if len(asked) == 1 else "127.0.0.9", port))]

    monkeypatch.setattr("asyncio.BaseEventLoop.getaddrinfo", rebinding)
    host.replies = github()
    assert ask_host(host="github", base_url=host.named_url, secret=Secret("x")).account == "acme-bot"
    assert asked == ["localhost"]
