"""A real git server over HTTP on this machine: `git http-backend` behind a small threaded server.

    with GitHttpServer(folder) as server:
        url = server.create_repository("demo/hello.git")

It can ask for a token, refuse pushes, redirect, answer with an error or break off, and be stopped and started again on
the same port. It keeps the Authorization header of every request. What it serves are ordinary bare repositories.
"""

from __future__ import annotations

import base64
import os
import shlex
import socketserver
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

Respond = Callable[..., Any]


@dataclass(frozen=True)
class Request:
    """One request as it came in. `authorization` is the header, empty when there was none."""

    method: str
    path: str
    query: str
    authorization: str


class GitHttpServer:
    """Serves the bare repositories of a folder. The port stays the same over stops and starts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: list[Request] = []
        self.answer_with: str | None = None
        """A status such as `503 Service Unavailable` that every request gets while it is set."""
        self.answer_packs_with: str | None = None
        """A status that what is pushed gets while it is set, after everything that is asked before."""
        self.redirect_to: str | None = None
        """Another origin that every request is sent to while it is set."""
        self.break_off: int = 0
        """How many of the next pushes are taken, and their answer lost."""
        self._port = 0
        self._credentials: str | None = None
        self._server: WSGIServer | None = None
        self._thread: threading.Thread | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> GitHttpServer:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def origin(self) -> str:
        """Where it listens; known once it has been started."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def authorizations(self) -> list[str]:
        """The Authorization headers that it saw, without the empty ones."""
        return [request.authorization for request in self.requests if request.authorization]

    def start(self) -> None:
        """Listen on a free port, the second time on the same."""
        self._server = make_server("127.0.0.1", self._port, self._application, _ThreadingServer, _QuietHandler)
        self._port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening; the repositories stay."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = self._thread = None

    def create_repository(self, name: str) -> str:
        """Make a bare repository that takes pushes, and return its URL."""
        path = self.folder / name
        _git("init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(path))
        _git("--git-dir", str(path), "config", "http.receivepack", "true")
        return self.url(name)

    def url(self, name: str) -> str:
        """Return the URL of a repository, whether it is there or not."""
        return f"{self.origin}/{name}"

    def require_token(self, token: str, *, username: str = "git") -> None:
        """Answer 401 to everybody who does not give this token."""
        self._credentials = base64.b64encode(f"{username}:{token}".encode()).decode()

    def refuse_pushes(self, name: str, message: str) -> None:
        """Let a pre-receive hook refuse every push to a repository, saying this."""
        hook = self.folder / name / "hooks" / "pre-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\nprintf '%s\\n' {shlex.quote(message)} >&2\nexit 1\n")
        hook.chmod(0o755)

    def accept_pushes(self, name: str) -> None:
        """Take pushes to a repository again."""
        (self.folder / name / "hooks" / "pre-receive").unlink()

    def branches(self, name: str) -> dict[str, str]:
        """Return the branches of a repository and their commits."""
        said = _git("--git-dir", str(self.folder / name), "for-each-ref", "--format=%(refname:short) %(objectname)")
        return dict(line.split() for line in said.splitlines())

    def _application(self, environ: dict[str, Any], respond: Respond) -> Iterable[bytes]:
        authorization = environ.get("HTTP_AUTHORIZATION", "")
        self.requests.append(
            Request(environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"], authorization)
        )
        if self.redirect_to is not None:
            location = f"{self.redirect_to}{environ['PATH_INFO']}?{environ['QUERY_STRING']}"
            return _plain(respond, "302 Found", Location=location)
        if self.answer_with is not None:
            return _plain(respond, self.answer_with)
        if self._credentials is not None and authorization != f"Basic {self._credentials}":
            return _plain(respond, "401 Unauthorized", **{"WWW-Authenticate": 'Basic realm="git"'})
        if self.answer_packs_with is not None and environ["PATH_INFO"].endswith("/git-receive-pack"):
            b"".join(_body(environ))
            return _plain(respond, self.answer_packs_with)
        done = self._backend(environ)
        if self.break_off and environ["PATH_INFO"].endswith("/git-receive-pack"):
            self.break_off -= 1
            return _plain(respond, "502 Bad Gateway")
        head, _, body = done.partition(b"\r\n\r\n")
        headers = [tuple(line.split(": ", 1)) for line in head.decode("latin-1").split("\r\n")]
        status = next((value for name, value in headers if name.lower() == "status"), "200 OK")
        respond(status, [(name, value) for name, value in headers if name.lower() != "status"])
        return [body]

    def _backend(self, environ: dict[str, Any]) -> bytes:
        handed_on = {
            name: value
            for name, value in environ.items()
            # An environment is shown by the list of processes; who may do it has been looked at here.
            if isinstance(value, str)
            and name != "HTTP_AUTHORIZATION"
            and (name.startswith("HTTP_") or name in {"REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE"})
        }
        handed_on |= {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "REMOTE_USER": "tester",
            "GIT_PROTOCOL": environ.get("HTTP_GIT_PROTOCOL", ""),
            "REMOTE_ADDR": "127.0.0.1",
        }
        body = b"".join(_body(environ))
        handed_on["CONTENT_LENGTH"] = str(len(body))
        program = Path(_git("--exec-path").strip()) / "git-http-backend"
        done = subprocess.run([program], env=handed_on, input=body, capture_output=True)
        # A 500 without a word would look like a fault of the network to whoever pushes.
        assert done.returncode == 0, done.stderr
        return done.stdout


class _ThreadingServer(socketserver.ThreadingMixIn, WSGIServer):
    # A stop waits for the requests under way, so that no test meets the end of another.
    daemon_threads = False
    block_on_close = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: what came in is in `requests`."""


def _body(environ: dict[str, Any]) -> Iterator[bytes]:
    stream: IO[bytes] = environ["wsgi.input"]
    if environ.get("HTTP_TRANSFER_ENCODING", "").lower() != "chunked":
        yield stream.read(int(environ.get("CONTENT_LENGTH") or 0))
        return
    while size := int(stream.readline().split(b";")[0], 16):
        yield stream.read(size)
        stream.readline()
    while stream.readline().strip():
        continue


def _plain(respond: Respond, status: str, **headers: str) -> list[bytes]:
    respond(status, [("Content-Type", "text/plain"), ("Content-Length", "0"), *headers.items()])
    return [b""]


def _git(*arguments: str) -> str:
    environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
    done = subprocess.run(["git", *arguments], env=environment, check=True, capture_output=True, text=True)
    return done.stdout
