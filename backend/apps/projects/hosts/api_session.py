"""The HTTP session that the clients of hosts' APIs work with: one origin, no redirects, bounded answers.

PyGithub and python-gitlab both speak through `requests`, so what must never happen to a token is prevented here once,
whatever they do: a request to another origin, a redirect that is followed, a proxy or a .netrc of the environment, an
answer without end, an address inside the operator's network that a public name leads to. Their own retries are off.

What an answer means is told by `answers`.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from backend.apps.projects.hosts.answers import Answer
from backend.apps.projects.hosts.request_watch import watcher
from backend.errors import InvalidInput
from backend.origins import DEFAULT_PORTS, is_public
from backend.telemetry import tracing

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
WHOLE_SECONDS = 90.0
LARGEST_ANSWER = 4 * 1024 * 1024
CHUNK = 64 * 1024


class Unwelcome(Exception):
    """The API did not answer with success. Only between the session and `hosted`: nobody else meets it."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        super().__init__(f"HTTP {answer.status}")


class ForeignOrigin(Exception):
    """Something asked for a request to another origin than the credential's."""


class ApiSession(requests.Session):
    """A session for one origin (`https://host[:port]`). Answers other than 2xx with a JSON object raise Unwelcome."""

    def __init__(self, origin: str) -> None:
        super().__init__()
        self.origin = origin
        self.trust_env = False
        self.verify = trusted_certificates()
        adapter = PublicAdapter(max_retries=0)
        self.adapters.clear()
        self.mount(f"{urlsplit(origin).scheme}://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Say that no answer leads anywhere else."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # noqa: ANN401
        """Send a request of one of the clients, and read its whole answer."""
        if origin_of(request.url or "") != self.origin:
            raise ForeignOrigin(origin_of(request.url or ""))
        watching = watcher()
        if watching is not None:
            watching.before(request.method or "GET")
        options |= {
            "timeout": (CONNECT_SECONDS, READ_SECONDS),
            "allow_redirects": False,
            "stream": True,
            "verify": self.verify,
            "proxies": {},
        }
        # No header goes out: whoever runs the host need not know our traces.
        with tracing.span(f"host {request.method}", kind="client", host=self.origin) as span:
            with super().send(request, **options) as response:
                body = _bounded(response)
            span.note(status=response.status_code)
        headers = {name.lower(): value for name, value in response.headers.items()}
        answer = Answer(response.status_code, headers, body)
        if watching is not None:
            watching.after(answer)
        if not 200 <= answer.status < 300:
            raise Unwelcome(answer)
        if not isinstance(answer.data, dict):
            # None of the calls in use is answered with anything else; the clients would stumble over it somewhere.
            raise Unwelcome(Answer(502, headers, b'{"message": "an answer that is no JSON object"}'))
        # What has been read is what the clients see as the content.
        response._content = body
        return response


class _PublicHTTPConnection(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _require_public(self)

    def getresponse(self) -> Any:  # noqa: ANN401  (its base class and that one's do not agree)
        with _within(self.timeout, self.sock):
            return super().getresponse()


class _PublicHTTPSConnection(_PublicHTTPConnection, HTTPSConnection):
    """The same over TLS."""


class _PublicHTTPPool(HTTPConnectionPool):
    ConnectionCls = _PublicHTTPConnection


class _PublicHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _PublicHTTPSConnection


class PublicAdapter(HTTPAdapter):
    """Looks at whom it has reached before the first byte of a request, and so of a token, is sent."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401  (as the base class has it)
        """Have every connection look."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _PublicHTTPPool, "https": _PublicHTTPSPool}


def _require_public(connection: HTTPConnection) -> None:
    peer = connection.sock.getpeername()[0]
    if is_public(peer) or connection.host.lower() in _allowed():
        return
    connection.close()
    raise InvalidInput(
        f"The name {connection.host} leads to {peer}, an address inside a network that the operator has not allowed.",
        field="base_url",
        hint="Name the host in REPOMILL_GIT_INTERNAL_HOSTS if it is yours.",
    )


@contextmanager
def _within(seconds: float | None, sock: socket.socket) -> Iterator[None]:
    """Let the head of an answer take that long as a whole: a socket's own timeout begins anew with every byte."""
    late = threading.Event()

    def cut() -> None:
        late.set()
        with suppress(OSError):
            # Not the method of a socket with TLS, which takes away what the other thread reads with.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)

    timer = threading.Timer(READ_SECONDS if seconds is None else seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if late.is_set():
            # What was cut off may look like a whole head, or like any fault.
            raise TimeoutError("The answer did not begin in time.")


def _allowed() -> set[str]:
    # A URL has brackets around an address of version 6, a connection has not.
    return {host.strip("[]") for host in settings.GIT_INTERNAL_HOSTS}


def _bounded(response: requests.Response) -> bytes:
    body = bytearray()
    until = time.monotonic() + WHOLE_SECONDS
    try:
        # What has come, and not a whole chunk: the time of one that comes byte by byte has no end.
        while chunk := response.raw.read1(CHUNK, decode_content=True):
            body += chunk
            if len(body) > LARGEST_ANSWER or time.monotonic() > until:
                raise requests.exceptions.ChunkedEncodingError("The answer is too large or too slow.")
    except urllib3.exceptions.HTTPError as error:
        raise requests.exceptions.ChunkedEncodingError(type(error).__name__) from None
    return bytes(body)


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL as they are compared; empty for what has none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    shown = f":{port}" if port and port != DEFAULT_PORTS.get(parts.scheme) else ""
    return f"{parts.scheme}://{host.lower()}{shown}"


def trusted_certificates(variables: Mapping[str, str] = os.environ) -> str | bool:
    """Return the file of trusted authorities that the machine names, or True for those that `requests` brings along."""
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "GIT_SSL_CAINFO"):
        if variables.get(name):
            return variables[name]
    return True
