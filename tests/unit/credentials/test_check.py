"""Asking a host, over real connections: what it says is kept, and an evil one gets and shows nothing."""

from __future__ import annotations

import datetime
import gzip
import logging
import socket
import ssl
import threading
import traceback

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.utils import timezone

from backend.apps.credentials.errors import CredentialRejected, CredentialUnreadable
from backend.apps.credentials.models import Credential
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services import host_requests
from backend.apps.credentials.services.check import ask_host, check_credential, keep_finding
from backend.apps.credentials.services.host_answers import Finding
from backend.apps.credentials.services.host_requests import trusted_authorities
from backend.apps.credentials.services.keeping import add_credential, replace_secret
from backend.errors import ConfigurationError, InvalidInput, RateLimited, RemoteRefused, RemoteUnreachable
from tests.unit.credentials.host_server import Reply, github, gitlab, serving

USER = "/api/v3/user"


@pytest.fixture
def row(ada, secret, host) -> Credential:
    return add_credential(user=ada, name="x", host="github", secret=secret, base_url=host.url)


@pytest.mark.django_db
def test_what_github_says_is_kept_and_returned(row, host, canary):
    host.replies = github()
    finding = check_credential(row)
    assert (finding.account, finding.scopes) == ("acme-bot", ("repo", "workflow"))
    assert finding.quota is not None
    assert finding.quota.remaining == 4990
    row.refresh_from_db()
    assert (row.account, row.scopes) == ("acme-bot", ["repo", "workflow"])
    assert row.expires_at is not None
    assert row.expires_at.year == 2031
    assert row.last_checked_at is not None
    assert row.last_used_at is None
    ((path, headers),) = host.seen
    assert path == USER
    assert headers["authorization"] == f"Bearer {canary}"
    assert headers["host"] == f"127.0.0.1:{host.port}"
    assert headers["accept-encoding"] == "identity"


@pytest.mark.django_db
def test_what_gitlab_says_is_kept(ada, secret, host):
    host.replies = gitlab(scopes=["api", "read_user"])
    row = add_credential(user=ada, name="x", host="gitlab", secret=secret, base_url=host.url)
    check_credential(row)
    row = Credential.objects.get()
    assert (row.account, row.scopes) == ("acme-bot", ["api", "read_user"])
    assert [path for path, _ in host.seen] == ["/api/v4/user", "/api/v4/personal_access_tokens/self"]


@pytest.mark.django_db
def test_git_is_not_asked(ada, secret, host):
    row = add_credential(user=ada, name="x", host="git", secret=secret, base_url=host.url)
    assert check_credential(row) == Finding(asked=False)
    assert host.seen == []
    assert Credential.objects.get().last_checked_at is None


@pytest.mark.django_db
def test_a_rejection_is_noted_and_raised(row, host):
    host.replies = github()
    check_credential(row)
    Credential.objects.update(last_checked_at=None)
    host.replies[USER] = Reply({"message": "Bad credentials"}, 401)
    with pytest.raises(CredentialRejected):
        check_credential(row)
    row = Credential.objects.get()
    assert row.last_checked_at is not None
    assert row.account == "acme-bot"


@pytest.mark.django_db
def test_what_was_said_of_an_older_value_is_not_kept(row, host):
    host.replies = github()
    stale = Credential.objects.get()
    replace_secret(credential=row, secret=Secret("newer"))
    keep_finding(stale, Finding(account="ada"))
    assert Credential.objects.get().account == ""
    assert stale.account == ""


@pytest.mark.django_db
def test_a_row_that_was_pointed_elsewhere_is_not_asked(row, host):
    Credential.objects.update(base_url=host.named_url)
    with pytest.raises(CredentialUnreadable):
        check_credential(Credential.objects.get())
    assert host.seen == []


def ask(url, secret, kind="github"):
    return ask_host(host=kind, base_url=url, secret=secret)


def clean(error: BaseException, canary: str) -> None:
    """Check that neither the error nor anything it carries along shows the token."""
    assert canary not in str(error) + repr(error) + str(getattr(error, "as_json", dict)())
    assert error.__cause__ is None
    assert error.__context__ is None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        # What is kept in the variables of our own code and of libraries, but not of the tests.
        if "/tests/" not in frame.f_code.co_filename:
            assert canary not in repr(frame.f_locals), frame


def test_a_redirect_is_not_followed(host, secret, canary):
    with serving() as elsewhere:
        for status in (301, 302, 303, 307, 308):
            host.replies[USER] = Reply({}, status, {"Location": f"{elsewhere.url}/api/v3/user?t={canary}"})
            with pytest.raises(RemoteRefused, match="redirect") as refused:
                ask(host.url, secret)
            clean(refused.value, canary)
        assert elsewhere.seen == []
    assert len(host.seen) == 5


def test_what_the_environment_names_is_not_used(host, secret, monkeypatch, tmp_path):
    host.replies = github()
    with serving() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        assert ask(host.url, secret).account == "acme-bot"
        assert proxy.seen == []
    assert host.seen[0][1]["authorization"].startswith("Bearer ")


def pieces(piece: bytes, count: int):
    for _ in range(count):
        yield piece


def test_an_answer_without_end_is_cut_off(host, secret, canary):
    host.replies[USER] = lambda _: Reply(pieces(b"x" * 65536, 160))
    with pytest.raises(RemoteRefused, match="larger than 1024 KiB") as refused:
        ask(host.url, secret)
    clean(refused.value, canary)


@pytest.mark.parametrize("where", ["body", "silence"])
def test_a_slow_drip_ends_at_the_deadline(host, secret, canary, monkeypatch, where):
    monkeypatch.setattr(host_requests, "DEADLINE_SECONDS", 0.3)

    def drip(_):
        def slowly():
            while not host.closing.wait(0.02):
                yield b" "

        return Reply(slowly()) if where == "body" else Reply({}, headers=_Silent(host.closing))

    host.replies[USER] = drip
    with pytest.raises(RemoteUnreachable, match="did not answer within") as refused:
        ask(host.url, secret)
    clean(refused.value, canary)


class _Silent(dict[str, str]):
    def __init__(self, closing):
        super().__init__()
        self.closing = closing

    def items(self):
        # BaseHTTPRequestHandler buffers headers; what counts is that nothing of the answer has come.
        self.closing.wait(5)
        return []


@pytest.mark.parametrize("encoding", ["gzip", "br", "GZIP"])
def test_a_compressed_answer_is_not_unpacked(host, secret, canary, encoding):
    host.replies[USER] = Reply(gzip.compress(b"{}" * 1000), headers={"Content-Encoding": encoding})
    with pytest.raises(RemoteRefused, match="compressed") as refused:
        ask(host.url, secret)
    clean(refused.value, canary)


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 418, 500])
@pytest.mark.parametrize("shape", ["login", "message", "plain", "escaped", "headers"])
def test_a_host_that_sends_the_token_back_is_not_repeated(host, secret, canary, status, shape, caplog):
    caplog.set_level(logging.DEBUG)
    bodies = {
        "login": {"login": canary, "username": canary},
        "message": {"message": f"Bad credentials: {canary}"},
        "plain": f"you sent {canary}".encode(),
        "escaped": ('{"login": "' + "".join(f"\\u{ord(char):04x}" for char in canary) + '"}').encode(),
        "headers": {"login": "x"},
    }
    headers = {"X-OAuth-Scopes": canary.lower(), "github-authentication-token-expiration": canary}
    host.replies[USER] = Reply(bodies[shape], status, headers if shape == "headers" else {})
    if (status, shape) == (200, "headers"):
        assert ask(host.url, secret) == Finding(account="x")
        return
    with pytest.raises((RemoteRefused, RemoteUnreachable)) as refused:
        ask(host.url, secret)
    clean(refused.value, canary)
    assert canary not in "".join(record.getMessage() for record in caplog.records if record.name.startswith("backend"))


@pytest.mark.parametrize("said", [b"garbage CANARY\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"])
def test_what_is_not_http_is_not_repeated(secret, canary, said):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer():
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(said.replace(b"CANARY", canary.encode()))

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(RemoteUnreachable, match="ended the connection") as refused:
            ask(f"http://127.0.0.1:{listening.getsockname()[1]}", secret)
        thread.join()
    clean(refused.value, canary)


def test_nobody_there_is_unreachable(secret, canary):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(RemoteUnreachable, match="cannot be reached") as refused:
        ask(f"http://127.0.0.1:{port}", secret)
    clean(refused.value, canary)
    assert refused.value.retryable


def test_a_rate_limit_says_how_long(host, secret):
    host.replies[USER] = Reply({}, 429, {"Retry-After": "77"})
    with pytest.raises(RateLimited) as limited:
        ask(host.url, secret)
    assert limited.value.retry_after == 77


def test_what_is_not_json_is_refused(host, secret):
    host.replies[USER] = Reply(b"<html>")
    with pytest.raises(RemoteRefused, match="not what GitHub says"):
        ask(host.url, secret)


def test_a_secret_that_is_no_token_is_not_sent(host, canary):
    with pytest.raises(InvalidInput, match="no token has") as refused:
        ask(host.url, Secret(f"{canary} ä"))
    assert host.seen == []
    clean(refused.value, canary)


def resolving(monkeypatch, *ips):
    async def resolved(self, host, port, **_):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in ips]

    monkeypatch.setattr("asyncio.BaseEventLoop.getaddrinfo", resolved)


@pytest.mark.parametrize("ip", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1"])
def test_a_name_that_leads_into_the_network_is_not_asked(secret, canary, monkeypatch, ip):
    resolving(monkeypatch, "140.82.121.4", ip)
    with pytest.raises(InvalidInput, match="not public") as refused:
        ask("https://git.example.org", secret)
    assert "REPOMILL_GIT_INTERNAL_HOSTS" in (refused.value.hint or "")
    clean(refused.value, canary)


def test_a_name_without_an_address(secret, monkeypatch):
    resolving(monkeypatch)
    with pytest.raises(RemoteUnreachable, match="cannot be resolved"):
        ask("https://git.example.org", secret)


def test_a_name_that_the_resolver_refuses(secret, monkeypatch):
    async def refuse(self, host, port, **_):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("asyncio.BaseEventLoop.getaddrinfo", refuse)
    with pytest.raises(RemoteUnreachable, match="cannot be resolved"):
        ask("https://git.example.org", secret)


def test_the_next_address_is_tried_where_one_does_not_answer(host, secret, monkeypatch):
    resolving(monkeypatch, "127.0.0.2", "127.0.0.1")
    host.replies = github()
    assert ask(host.named_url, secret).account == "acme-bot"


@pytest.mark.parametrize("url", ["https://10.0.0.1", "http://git.example.org", "https://me:x@git.example.org"])
def test_an_address_that_is_not_allowed_any_more_is_not_asked(secret, settings, url):
    settings.GIT_INTERNAL_HOSTS = []
    with pytest.raises(InvalidInput):
        ask(url, secret)


def certificate(folder, name):
    """Write a certificate for a name, which is its own authority, and return the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = timezone.now()
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return file


@pytest.mark.parametrize(
    ("name", "trusted", "good"), [("localhost", 1, 1), ("localhost", 0, 0), ("evil.example", 1, 0)]
)
def test_the_certificate_must_be_trusted_and_the_names(secret, canary, tmp_path, monkeypatch, name, trusted, good):
    file = certificate(tmp_path, name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
    resolving(monkeypatch, "127.0.0.1")
    with serving(context=context) as host:
        host.replies = github()
        if good:
            assert ask(host.named_url, secret).account == "acme-bot"
            return
        with pytest.raises(RemoteRefused, match="certificate of localhost is not trusted") as refused:
            ask(host.named_url, secret)
        assert host.seen == []
    clean(refused.value, canary)


def test_a_file_of_authorities_that_holds_none(tmp_path):
    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE"):
        trusted_authorities({"SSL_CERT_FILE": str(tmp_path / "none")})
