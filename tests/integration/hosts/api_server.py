"""A host on this machine: its API and its repositories at one origin, as on a real one, with faults on demand.

The repositories are served by a real `git http-backend`; what the API says is the subclasses'.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.git_http_server import GitHttpServer, Respond

_GIT = re.compile(r"/(?P<name>.+?\.git)/(?:info/refs|git-upload-pack|git-receive-pack|HEAD|objects/.*)")
REASONS = {200: "OK", 201: "Created", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}


@dataclass(frozen=True)
class Call:
    """One request to the API. `authorization` is that header, or GitLab's own."""

    verb: str
    path: str
    data: Any
    authorization: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def token(self) -> str:
        return self.authorization.partition(" ")[2] or self.authorization


@dataclass(frozen=True)
class Reply:
    """What the API answers: JSON, or bytes as they are."""

    status: int
    data: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        return self.data if isinstance(self.data, bytes) else json.dumps(self.data).encode()


@dataclass
class Fault:
    """What happens to the next `times` requests that match, instead of what should.

    lose: the request is done, and its answer lost. before, after: called with the request, before and after it is done.
    """

    verb: str = ".*"
    path: str = ".*"
    reply: Reply | None = None
    lose: bool = False
    times: int = 1
    before: Callable[[Call], None] | None = None
    after: Callable[[Call], None] | None = None

    def matches(self, call: Call) -> bool:
        return self.times > 0 and bool(re.fullmatch(self.verb, call.verb) and re.fullmatch(self.path, call.path))


class ApiServer(GitHttpServer):
    """Serves an API and the repositories `<full name>.git`. `users` maps tokens to user names."""

    prefix = ""
    """What the API's paths begin with; calls are shown without it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.users: dict[str, str] = {}
        self.calls: list[Call] = []
        self.faults: list[Fault] = []
        self.not_ready = 0
        """How many of the next requests for a repository are answered as if it were not there yet."""
        self._lock = threading.Lock()

    def answer(self, call: Call) -> Reply:
        """Answer one request to the API."""
        raise NotImplementedError

    def may_push(self, user: str, full_name: str) -> bool:
        """Return whether a user can reach a repository by git."""
        raise NotImplementedError

    def reset(self) -> None:
        """Forget what was seen, and every fault that is left."""
        self.calls.clear()
        self.requests.clear()
        self.faults.clear()
        self.not_ready = 0
        self.answer_with = None

    def said(self, verb: str) -> list[str]:
        """Return the paths that were asked with a verb, in order."""
        return [call.path for call in self.calls if call.verb == verb]

    def _application(self, environ: dict[str, Any], respond: Respond) -> Iterable[bytes]:
        found = _GIT.fullmatch(environ["PATH_INFO"])
        return self._git(found["name"], environ, respond) if found else self._api(environ, respond)

    def _git(self, name: str, environ: dict[str, Any], respond: Respond) -> Iterable[bytes]:
        given = environ.get("HTTP_AUTHORIZATION", "").removeprefix("Basic ")
        token = base64.b64decode(given).decode().partition(":")[2]
        user = self.users.get(token)
        if user is None:
            respond("401 Unauthorized", [("WWW-Authenticate", 'Basic realm="git"'), ("Content-Length", "0")])
            return [b""]
        if self.not_ready or not self.may_push(user, name.removesuffix(".git")) or not (self.folder / name).is_dir():
            self.not_ready = max(0, self.not_ready - 1)
            respond("404 Not Found", [("Content-Length", "0")])
            return [b""]
        return super()._application(environ, respond)

    def _api(self, environ: dict[str, Any], respond: Respond) -> Iterable[bytes]:
        call = _call(environ, prefix=self.prefix)
        with self._lock:
            self.calls.append(call)
            fault = next((fault for fault in self.faults if fault.matches(call)), None)
            if fault is not None:
                fault.times -= 1
                if fault.before is not None:
                    fault.before(call)
            reply = fault.reply if fault is not None and fault.reply is not None else self.answer(call)
        if fault is not None and fault.after is not None:
            fault.after(call)
        if fault is not None and fault.lose:
            environ["wsgi.input"].raw._sock.shutdown(socket.SHUT_RDWR)
        body = reply.body
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *reply.headers.items()]
        respond(f"{reply.status} {REASONS.get(reply.status, 'Whatever')}", headers)
        return [body]


def _call(environ: dict[str, Any], *, prefix: str) -> Call:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return Call(
        verb=environ["REQUEST_METHOD"],
        path=environ["PATH_INFO"].removeprefix(prefix),
        data=json.loads(body) if body else None,
        authorization=environ.get("HTTP_AUTHORIZATION") or environ.get("HTTP_PRIVATE_TOKEN", ""),
        query=environ.get("QUERY_STRING", ""),
        headers={
            name.removeprefix("HTTP_").replace("_", "-").lower(): value
            for name, value in environ.items()
            if isinstance(value, str) and (name.startswith("HTTP_") or name == "CONTENT_TYPE")
        },
    )
