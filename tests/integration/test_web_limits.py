"""The web process as it is deployed: bodies are cut off while they come in, requests counted in the real cache."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import pytest

from backend.cli.stack.broker import EmbeddedBroker
from tests.integration.web_process import WebProcess

pytestmark = pytest.mark.integration

LARGEST = 100_000


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a web process, beside the broker whose server is the cache."""
    data_dir = tmp_path_factory.mktemp("rm")
    with EmbeddedBroker(data_dir):
        limits = {"REPOMILL_LARGEST_BODY": str(LARGEST), "REPOMILL_RATE_LOGIN": "5/hour"}
        process = WebProcess(data_dir, signing_key="k" * 64, **limits)
        try:
            yield process.origin
        finally:
            process.stop()


def send(web: str, headers: str, body: bytes) -> tuple[str, dict[str, object]]:
    """Send bytes as they are, and return the status line and the problem that is answered."""
    address = urlsplit(web)
    with socket.create_connection((str(address.hostname), int(address.port or 80)), timeout=60) as connection:
        head = (
            f"POST /api/v1/projects/ HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n{headers}"
        )
        connection.sendall(head.encode() + b"\r\n")
        answer = b""
        # It answers and hangs up while we still send; what it said first is what counts.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(body)
            while part := connection.recv(65536):
                answer += part
    first, _, rest = answer.partition(b"\r\n")
    text = rest.partition(b"\r\n\r\n")[2]
    start, end = text.find(b"{"), text.rfind(b"}")
    return first.decode(), json.loads(text[start : end + 1])


def chunked(sizes: list[int]) -> bytes:
    return b"".join(f"{size:x}\r\n".encode() + b"x" * size + b"\r\n" for size in sizes) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (f"Content-Length: {LARGEST + 1}\r\n", b""),
        ("Transfer-Encoding: chunked\r\n", chunked([LARGEST // 2] * 3)),
        (f"Transfer-Encoding: chunked\r\nX-Content-Length: {LARGEST}\r\n", chunked([LARGEST + 1])),
    ],
    ids=["it says so itself", "chunked", "one chunk"],
)
def test_a_body_that_is_too_large_is_a_413(web: str, headers: str, body: bytes) -> None:
    status, problem = send(web, headers, body)
    assert status.startswith("HTTP/1.1 413")
    assert (problem["code"], problem["limit"]) == ("payload_too_large", LARGEST)


def test_a_body_up_to_the_limit_reaches_the_view(web: str) -> None:
    status, problem = send(web, "Transfer-Encoding: chunked\r\nConnection: close\r\n", chunked([LARGEST]))
    assert (status.split()[1], problem["code"]) == ("401", "not_authenticated")


def test_logins_are_counted_in_the_cache_of_the_stack(web: str) -> None:
    body = {"username": "operator", "password": "wrong"}
    answers = [httpx.post(f"{web}/api/v1/auth/token/", json=body, trust_env=False, timeout=60) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 2
    assert answers[-1].json()["code"] == "throttled"
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 3600
