"""The session of the hosts' clients, against servers that try to get at the token; and the corpus on those clients."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from backend.apps.credentials.secret import Secret
from backend.apps.projects.hosts import api_session
from backend.apps.projects.hosts.answers import Manners
from backend.apps.projects.hosts.api_session import (
    LARGEST_ANSWER,
    ApiSession,
    ForeignOrigin,
    Unwelcome,
    origin_of,
    trusted_certificates,
)
from backend.apps.projects.hosts.conversation import conversing
from backend.apps.projects.hosts.github import GitHubApi, _Connection, _SecureConnection
from backend.apps.projects.hosts.gitlab import GitLabApi
from backend.apps.projects.hosts.hosted import _is_same
from backend.apps.projects.hosts.wishes import Wish
from backend.errors import InvalidInput, RemoteRefused, RemoteUnreachable
from tests import corpus
from tests.integration.hosts.api_server import ApiServer, Call, Fault, Reply

pytestmark = pytest.mark.integration

TOKEN = "tok" + "en-CANARY-0123456789"
APIS = {"github": GitHubApi, "gitlab": GitLabApi}


class Echo(ApiServer):
    """Answers everything with its headers."""

    def answer(self, call: Call) -> Reply:
        return Reply(200, {"login": "alice", "username": "alice", "headers": dict(call.headers)})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Echo]:
    server = Echo(tmp_path / "good")
    with server:
        yield server


@pytest.fixture
def evil(tmp_path: Path) -> Iterator[Echo]:
    server = Echo(tmp_path / "evil")
    with server:
        yield server


@pytest.fixture(params=sorted(APIS))
def api(request, server: Echo) -> Any:
    return APIS[request.param](wish=Wish(name="x"), token=Secret(TOKEN), base_url=server.origin)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_gets_nothing(api: Any, server: Echo, evil: Echo, status: int):
    server.faults.append(Fault(reply=Reply(status, {}, {"Location": f"{evil.origin}/user"}), times=9))
    for ask in (api.full_name, lambda: api.find("a/b"), lambda: api.create("a/b", description="")):
        with pytest.raises(RemoteRefused):
            ask()
    assert evil.calls == []
    assert len(server.calls) == 3


def test_neither_proxies_nor_netrc_of_the_environment_get_anything(
    api: Any, server: Echo, evil: Echo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login x password y")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, evil.origin)
    assert api.full_name() == "alice/x"
    assert evil.calls == []
    assert server.calls[0].token == TOKEN


def test_another_origin_is_not_asked(evil: Echo):
    session = ApiSession("https://example.org")
    with pytest.raises(ForeignOrigin):
        session.get(f"{evil.origin}/user", headers={"Authorization": TOKEN})
    assert evil.calls == []


def test_a_name_that_leads_inside_is_left_before_anything_is_said(settings, evil: Echo, monkeypatch):
    settings.GIT_INTERNAL_HOSTS = ["git.example.org"]
    real = socket.getaddrinfo

    def resolve(host: str, *rest: Any, **options: Any) -> Any:
        return real("127.0.0.1" if host.endswith("example.org") else host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    port = evil.origin.rpartition(":")[2]
    with pytest.raises(InvalidInput, match="inside a network"):
        ApiSession(f"http://inside.example.org:{port}").get(f"http://inside.example.org:{port}/user")
    assert evil.calls == []
    assert ApiSession(f"http://git.example.org:{port}").get(f"http://git.example.org:{port}/user").ok


@pytest.mark.parametrize("size", [LARGEST_ANSWER + 1])
def test_an_answer_without_end_is_cut_off(api: Any, server: Echo, size: int):
    server.faults.append(Fault(reply=Reply(200, b" " * size)))
    with pytest.raises(RemoteUnreachable, match="too large"):
        api.full_name()


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b"null", b"[" * 50_000])
def test_an_answer_that_is_no_object_is_a_fault(body: bytes, server: Echo):
    server.faults.append(Fault(reply=Reply(200, body)))
    with pytest.raises(Unwelcome) as unwelcome:
        ApiSession(server.origin).get(f"{server.origin}/user")
    assert unwelcome.value.answer.status == 502


def test_nobody_there(api: Any, server: Echo):
    server.stop()
    with pytest.raises(RemoteUnreachable, match="cannot be reached"):
        api.full_name()
    server.start()


def test_a_certificate_that_nobody_knows(tmp_path: Path):
    """The other side is no TLS server at all, which is the same to us."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        connection, _ = listener.accept()
        connection.recv(100)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        connection.close()

    thread = threading.Thread(target=answer)
    thread.start()
    api = GitLabApi(wish=Wish(name="x"), token=Secret(TOKEN), base_url=f"https://127.0.0.1:{listener.getsockname()[1]}")
    with pytest.raises(RemoteRefused, match="certificate"):
        api.full_name()
    thread.join()
    listener.close()


def test_a_connection_that_breaks_off_while_it_is_made_secure_is_no_matter_of_certificates():
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def break_off() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65_536)

        thread = threading.Thread(target=break_off)
        thread.start()
        origin = f"https://127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(RemoteUnreachable) as broken, conversing(Manners(host="host", needs="")):
            ApiSession(origin).get(f"{origin}/user")
        thread.join()
    assert broken.value.retryable


@pytest.fixture
def secure(server: Echo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The server behind TLS, with a certificate that this process trusts; its origin."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    trusted, both = tmp_path / "trusted.pem", tmp_path / "both.pem"
    trusted.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    both.write_bytes(trusted.read_bytes() + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    assert server._server is not None
    server._server.socket = context.wrap_socket(server._server.socket, server_side=True)
    for variable in ("REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    return server.origin.replace("http://", "https://")


@pytest.mark.parametrize("kind", sorted(APIS))
def test_over_tls_with_an_authority_of_ones_own(kind: str, secure: str, server: Echo):
    api: Any = APIS[kind](wish=Wish(name="x"), token=Secret(TOKEN), base_url=secure)
    assert api.full_name() == "alice/x"
    assert server.calls[0].token == TOKEN


def test_a_client_that_asks_elsewhere_is_stopped(api: Any, evil: Echo):
    with pytest.raises(RemoteRefused, match="another address"), conversing(Manners(host="h", needs="n")):
        ApiSession("https://example.org").get(evil.origin)
    assert evil.calls == []


def test_pygithub_has_no_session_of_its_own():
    for kind, scheme in ((_SecureConnection, "https"), (_Connection, "http")):
        for port, shown in ((None, ""), (8443, ":8443")):
            session = kind("git.example.org", port).session
            assert isinstance(session, ApiSession)
            assert session.origin == f"{scheme}://git.example.org{shown}"


@pytest.mark.parametrize("shown", ["javascript:alert(1)", "", "x", "https://git.example.org/a/b?x=1", "ext::sh"])
def test_odd_addresses_of_repositories_are_not_the_wanted_one(shown: str):
    assert not _is_same(shown, "https://git.example.org/a/b")
    assert _is_same("https://GIT.example.org/A/b.git", "https://git.example.org/a/b")


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Example.org:443/x?y", "https://example.org"),
        ("http://h:8080/", "http://h:8080"),
        ("https://[::1]:9/", "https://[::1]:9"),
        ("https://h:99999/", ""),
        ("nothing", ""),
    ],
)
def test_origins(url: str, origin: str):
    assert origin_of(url) == origin


def test_the_machines_own_authorities_are_trusted():
    assert trusted_certificates({}) is True
    assert trusted_certificates({"SSL_CERT_FILE": "/a"}) == "/a"
    assert trusted_certificates({"SSL_CERT_FILE": "/a", "REQUESTS_CA_BUNDLE": "/b"}) == "/b"


def test_nothing_is_retried_by_the_clients(api: Any, server: Echo):
    for status in (429, 500, 502, 503):
        server.calls.clear()
        server.faults.append(Fault(reply=Reply(status, {}, {"Retry-After": "0"})))
        with pytest.raises(Exception, match=r"asks to wait|fault of its own"):
            api.full_name()
        assert len(server.calls) == 1


def test_every_row_of_the_corpus_has_its_test():
    """The rows are prose: each is tested where it is named here."""
    where = {
        "scm_clients-000": test_a_redirect_gets_nothing,
        "scm_clients-001": test_a_redirect_gets_nothing,
        "scm_clients-002": test_a_redirect_gets_nothing,
        "scm_clients-003": test_a_redirect_gets_nothing,
        "scm_clients-004": test_a_redirect_gets_nothing,
        "scm_clients-005": "faults_contract.test_the_token_is_in_none_of_what_is_said",
        "scm_clients-006": "test_hosts_wishes.test_names_that_would_mean_something_else",
        "scm_clients-007": "test_hosts_wishes.test_names_that_would_mean_something_else",
        "scm_clients-008": "test_hosts_wishes.test_names_that_would_mean_something_else",
        "scm_clients-009": test_a_name_that_leads_inside_is_left_before_anything_is_said,
        "scm_clients-010": "test_hosts_wishes.test_names_that_would_mean_something_else",
        "scm_clients-011": "faults_contract.test_a_limit_becomes_a_wait_and_nothing_is_repeated",
        "scm_clients-012": "contract.test_a_new_repository_is_private_and_has_what_was_wanted",
    }
    assert {row["id"] for row in corpus.rows("own/scm_clients")} == set(where)
    root = Path(__file__).resolve().parents[1]
    for test in where.values():
        if isinstance(test, str):
            module, _, function = test.partition(".")
            (path,) = root.rglob(f"{module}.py")
            assert f"def {function}(" in path.read_text()


def test_the_environment_is_as_it_was():
    assert TOKEN not in str(dict(os.environ))
    assert requests.Session().trust_env


@contextmanager
def trickling(first: bytes, then: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Serve one request, whose answer begins at once and goes on byte by byte; give its origin, and what was sent."""
    sent: list[bytes] = []

    def trickle(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.recv(65_536)
            connection.sendall(first)
            for _ in range(60):
                connection.sendall(then)
                sent.append(then)
                time.sleep(0.1)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = threading.Thread(target=trickle, args=[listening], daemon=True)
        server.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", sent
        server.join()


def test_an_answer_that_comes_byte_by_byte_has_an_end(monkeypatch):
    monkeypatch.setattr(api_session, "WHOLE_SECONDS", 0.5)
    with (
        trickling(b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n", b" ") as (origin, sent),
        pytest.raises(requests.exceptions.ChunkedEncodingError),
    ):
        ApiSession(origin).get(f"{origin}/user")
    # It was left in the middle, and not once all had come.
    assert len(sent) < 60


@pytest.mark.parametrize(
    ("first", "then"), [(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), (b"", b"HTTP/1.1 100 Continue\r\n\r\n")]
)
def test_the_head_of_an_answer_has_an_end_too(monkeypatch, first: bytes, then: bytes):
    monkeypatch.setattr(api_session, "READ_SECONDS", 0.5)
    with (
        trickling(first, then) as (origin, sent),
        pytest.raises(RemoteUnreachable),
        conversing(Manners(host="host", needs="")),
    ):
        ApiSession(origin).get(f"{origin}/user")
    assert len(sent) < 60


def test_half_a_character_is_no_name(api: Any, server: Echo):
    server.faults.append(Fault(reply=Reply(200, {"login": "\ud800", "username": "\ud800"}), times=1))
    with pytest.raises(RemoteRefused, match="not understood"):
        api.full_name()
