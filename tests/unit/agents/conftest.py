"""What the tests of API calls share: a server in memory, and a user."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from backend.apps.agents.services import calls, connection
from backend.apps.agents.services.api_caller import AgentAPICaller, forget_what_servers_offer
from backend.apps.authentication.models import User

Answer = httpx.Response | Exception
Work = Callable[[AgentAPICaller], Awaitable[Any]]


@dataclass
class Server:
    """Answers each request with the next of `answers`, the last one for ever, and keeps what it was sent."""

    answers: list[Answer | Callable[[httpx.Request], httpx.Response]] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.answer)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            # A response can be read once; the same answer may be given many times.
            content = getattr(answer, "_content", b"")
            return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(content))
        return answer(request)

    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.requests]

    def keys(self) -> list[str | None]:
        return [request.headers.get("Idempotency-Key") for request in self.requests]


def run(work: Work, *, user: User, server: Server, key: str | None = "task-1") -> Any:
    """Do something with a caller whose server is the one in memory."""
    return calls.run(work, user=user, idempotency_key=key, transport=server.transport)


def refused(status: int, **headers: str) -> httpx.Response:
    return httpx.Response(
        status, json={"detail": "No."}, headers={name.replace("_", "-"): headers[name] for name in headers}
    )


@pytest.fixture
def server() -> Server:
    return Server([httpx.Response(200, json={"ok": True})])


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("ada", password="correct horse battery")


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Lets waiting between tries take no time, and returns what would have been waited."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    original = connection.Connection.__init__
    monkeypatch.setattr(
        connection.Connection,
        "__init__",
        lambda self, **arguments: original(self, **{"sleep": sleep, **arguments}),
    )
    return waited


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    forget_what_servers_offer()
    yield
    forget_what_servers_offer()
