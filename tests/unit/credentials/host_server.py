"""A host's API on this machine, for tests: it answers as it is told to, which may be evil, and remembers the asking."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any


@dataclass
class Reply:
    """What is answered. `body` may be JSON, bytes, or pieces that are sent one by one."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class HostServer:
    """Answers by path; 404 for other paths. `seen` holds path and headers of each request."""

    port: int
    scheme: str = "http"
    replies: dict[str, Reply | Callable[[Mapping[str, str]], Reply]] = field(default_factory=dict)
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    closing: Event = field(default_factory=Event)

    @property
    def url(self) -> str:
        """Its address by number: not every machine knows a name for itself."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def named_url(self) -> str:
        """Its address by a name, for tests that say themselves what it means."""
        return f"{self.scheme}://localhost:{self.port}"


def github(**headers: str) -> dict[str, Any]:
    """The replies of a GitHub server with a classic token."""
    return {
        "/api/v3/user": Reply(
            {"login": "acme-bot", "id": 1},
            headers={
                "X-OAuth-Scopes": "repo, workflow",
                "github-authentication-token-expiration": "2031-01-31 10:00:00 UTC",
                "X-RateLimit-Limit": "5000",
                "X-RateLimit-Remaining": "4990",
                "X-RateLimit-Reset": "1900000000",
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
        )
    }


def gitlab(**token: Any) -> dict[str, Any]:
    """The replies of a GitLab server with a personal access token."""
    said = {"id": 7, "active": True, "revoked": False, "scopes": ["api"], "expires_at": "2031-01-31"}
    return {
        "/api/v4/user": Reply(
            {"id": 3, "username": "acme-bot"},
            headers={"RateLimit-Limit": "2000", "RateLimit-Remaining": "1999", "RateLimit-Reset": "1900000000"},
        ),
        "/api/v4/personal_access_tokens/self": Reply({**said, **token}),
    }


@contextmanager
def serving(*, context: ssl.SSLContext | None = None) -> Iterator[HostServer]:
    """Serve for as long as the block lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    # What is being sent piece by piece ends with the block, and is waited for.
    server.daemon_threads = False
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    host = HostServer(server.server_address[1], scheme="https" if context else "http")
    server.host = host  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield host
    finally:
        host.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def handle(self) -> None:
        try:
            super().handle()
        except (ssl.SSLError, ConnectionError):
            # The client did not like the certificate, or had read enough.
            self.close_connection = True

    def do_GET(self) -> None:
        host: HostServer = self.server.host  # type: ignore[attr-defined]
        headers = {name.lower(): value for name, value in self.headers.items()}
        host.seen.append((self.path, headers))
        found = host.replies.get(self.path, Reply({"message": "Not Found"}, 404))
        reply = found(headers) if callable(found) else found
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        for piece in self._pieces(reply.body):
            self.wfile.write(piece)
            self.wfile.flush()
            if host.closing.is_set():
                return

    def _pieces(self, body: Any) -> Iterator[bytes]:
        if isinstance(body, bytes):
            yield body
        elif isinstance(body, dict | list):
            yield json.dumps(body).encode()
        else:
            yield from body

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing: what was asked is in `seen`."""
