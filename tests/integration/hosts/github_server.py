"""GitHub on this machine: a stateful emulator that nobody here wrote, behind one origin with a real git server.

Every request is checked against GitHub's own OpenAPI document before it is passed on; what does not fit is kept in
`violations`. What the emulator lacks is added here: it takes an unknown token for somebody's, and has no git.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import time
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError

from tests.integration.hosts.api_server import ApiServer, Call, Reply
from tests.integration.hosts.peers import DOCUMENT, NODE, peers

ALICE, BOB = "token-of-alice", "token-of-bob"
ORGANIZATION = "acme"
_CREATION = re.compile(r"/user/repos|/orgs/[^/]+/repos")


class GitHubServer(ApiServer):
    """Users alice and bob, and the organisation acme, of which alice is a member. An Enterprise server's addresses."""

    prefix = "/api/v3"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "repositories")
        self.users = {ALICE: "alice", BOB: "bob"}
        self.violations: list[str] = []
        self._folder = folder
        self._emulator: subprocess.Popen[bytes] | None = None
        self._emulator_port = 0

    def start(self) -> None:
        """Start both servers; the emulator is told where its repositories are shown to be."""
        super().start()
        self._emulator_port = _free_port()
        seed = self._folder / "seed.yaml"
        seed.write_text(yaml.safe_dump(self._seed()))
        program = peers() / "emulate" / "dist" / "index.js"
        command = [str(NODE), str(program), "start", "--service", "github", "--seed", str(seed)]
        self._emulator = subprocess.Popen(
            [*command, "--port", str(self._emulator_port), "--base-url", self.origin],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _wait_for(self._emulator_port)

    def stop(self) -> None:
        """End both."""
        super().stop()
        if self._emulator is not None:
            self._emulator.terminate()
            self._emulator.wait(10)

    def answer(self, call: Call) -> Reply:
        """Check the request, pass it on, and keep a repository ready for every one that was made."""
        self._check(call)
        if call.token not in self.users:
            return Reply(401, {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest"})
        reply = self._passed_on(call)
        if reply.status == 201 and _CREATION.fullmatch(call.path):
            self.create_repository(f"{reply.data['full_name']}.git")
        return reply

    def may_push(self, user: str, full_name: str) -> bool:
        """Members of the organisation push to its repositories."""
        owner = full_name.partition("/")[0]
        return owner == user or (owner == ORGANIZATION and user == "alice")

    def ask(self, verb: str, path: str, data: Any = None, *, token: str = ALICE) -> Any:
        """Ask the emulator directly, as somebody who uses the host's own pages."""
        reply = self.answer(Call(verb, path, data, f"token {token}"))
        assert reply.status < 300, reply
        return reply.data

    def _seed(self) -> dict[str, Any]:
        return {
            "tokens": {token: {"login": login, "scopes": ["repo"]} for token, login in self.users.items()},
            "github": {
                "users": [{"login": "alice"}, {"login": "bob"}],
                "orgs": [{"login": ORGANIZATION, "members": [{"login": "alice", "role": "admin"}]}],
            },
        }

    def _passed_on(self, call: Call) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self._emulator_port, timeout=20)
        try:
            body = None if call.data is None else json.dumps(call.data)
            connection.request(call.verb, call.path, body, {"Authorization": call.authorization})
            answer = connection.getresponse()
            headers = {name: value for name, value in answer.getheaders() if name.lower().startswith("x-")}
            return Reply(answer.status, json.loads(answer.read() or b"null"), headers)
        finally:
            connection.close()

    def _check(self, call: Call) -> None:
        try:
            document().validate_request(_Request(call))
        except OpenAPIError as error:
            self.violations.append(f"{call.verb} {call.path}: {error!r} {error.__cause__!r}")


@cache
def document() -> OpenAPI:
    """Return GitHub's own description of its API."""
    path = peers() / "@octokit" / "openapi" / "generated" / DOCUMENT
    return OpenAPI.from_dict(json.loads(path.read_bytes()), config=Config(spec_validator_cls=None))  # type: ignore[arg-type]


class _Request:
    """A request as openapi-core asks for it."""

    host_url = "https://api.github.com"

    def __init__(self, call: Call) -> None:
        self.path = call.path
        self.method = call.verb.lower()
        self.content_type = "application/json"
        self.body = None if call.data is None else json.dumps(call.data).encode()
        self.parameters = RequestParameters()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_for(port: int) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return
