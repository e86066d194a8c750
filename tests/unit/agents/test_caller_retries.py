"""What AgentAPICaller tries again, for how long, and what it leaves in doubt."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from django.conf import settings as django_settings

from backend.apps.agents.errors import APIError
from backend.apps.agents.services import calls, connection
from backend.apps.authentication.models import User
from backend.errors import (
    InDoubt,
    RateLimited,
    RemoteUnreachable,
    RepomillError,
)
from tests.unit.agents.conftest import Server, refused, run

ORIGIN = django_settings.BACKEND_URL


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.ReadTimeout("slow"),
        httpx.ReadError(""),
        httpx.RemoteProtocolError("Server disconnected without sending a response."),
        refused(502),
        refused(503),
        refused(504),
        refused(503, Retry_After="2"),
        refused(429, Retry_After="1"),
        httpx.Response(409, json={"code": "idempotency_key_in_use"}, headers={"Retry-After": "1"}),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Exception) else str(each.status_code),
)
def test_blips_are_tried_again_with_the_same_key(
    user: User, server: Server, waits: list[float], failure: httpx.Response | Exception
) -> None:
    server.answers = [failure, failure, httpx.Response(201, json={"id": 1})]
    assert run(lambda api: api.call("POST", "/a/", data={}), user=user, server=server) == {"id": 1}
    assert server.keys() == ["task-1:1"] * 3
    asked = float(failure.headers.get("Retry-After", 0)) if isinstance(failure, httpx.Response) else 0.0
    assert len(waits) == 2
    assert all(asked <= waited <= 5.0 for waited in waits)


@pytest.mark.parametrize(
    ("failure", "error", "tries", "retry_after"),
    [
        (httpx.ConnectError("refused"), RemoteUnreachable, 4, None),
        (httpx.ReadTimeout("slow"), RemoteUnreachable, 4, None),
        (refused(429, Retry_After="1"), RateLimited, 4, 1.0),
        (refused(429, Retry_After="3600"), RateLimited, 1, 3600.0),
        (refused(429), RateLimited, 1, None),
        (refused(503), APIError, 4, None),
        (refused(503, Retry_After="600"), APIError, 1, 600.0),
        (refused(500), APIError, 1, None),
        (httpx.Response(409, json={"code": "idempotency_key_in_use"}), APIError, 4, None),
    ],
    ids=str,
)
def test_what_does_not_pass_leaves_as_a_retryable_error(
    user: User,
    server: Server,
    waits: list[float],
    failure: httpx.Response | Exception,
    error: type[RepomillError],
    tries: int,
    retry_after: float | None,
) -> None:
    server.answers = [failure]
    with pytest.raises(error) as caught:
        run(lambda api: api.call("POST", "/a/", data={}), user=user, server=server)
    assert caught.value.retryable
    assert caught.value.retry_after == retry_after
    assert len(server.requests) == tries


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 410, 413, 422])
def test_refusals_are_final(user: User, server: Server, status: int) -> None:
    server.answers = [refused(status)]
    with pytest.raises(APIError, match=f"{status}: No.") as caught:
        run(lambda api: api.call("POST", "/a/", data={}), user=user, server=server)
    assert caught.value.status_code == status
    assert not caught.value.retryable
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_errors(user: User, server: Server, status: int) -> None:
    server.answers = [httpx.Response(status, headers={"Location": "http://evil.invalid/"})]
    with pytest.raises(APIError, match=f"redirect \\({status}\\)") as caught:
        run(lambda api: api.call("POST", "/a/", data={}), user=user, server=server)
    assert "evil" not in json.dumps(caught.value.as_json())
    assert len(server.requests) == 1


def test_a_request_that_cannot_be_sent_is_an_error(user: User, server: Server) -> None:
    server.answers = [httpx.LocalProtocolError("bad")]
    with pytest.raises(APIError, match="cannot be sent"):
        run(lambda api: api.call("GET", "/a/"), user=user, server=server)


def test_the_deadline_covers_all_tries(user: User, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "DEADLINE_SECONDS", 0.01)

    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await asyncio.Event().wait()
            raise AssertionError

    with pytest.raises(RemoteUnreachable, match="no answer within"):
        calls.run(lambda api: api.call("POST", "/a/"), user=user, idempotency_key="k", transport=Silent())
    monkeypatch.setattr(django_settings, "AGENT_API_HONOURS_KEYS", False)
    with pytest.raises(InDoubt):
        calls.run(lambda api: api.call("POST", "/a/"), user=user, idempotency_key="k", transport=Silent())


def test_an_answer_that_drips_ends_at_the_deadline(user: User, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "DEADLINE_SECONDS", 0.05)
    given: list[bytes] = []

    class Drip(httpx.AsyncByteStream):
        async def __aiter__(self) -> Any:
            while True:
                await asyncio.sleep(0)
                given.append(b" ")
                yield b" "

    server.answers = [lambda request: httpx.Response(200, stream=Drip())]
    with pytest.raises(RemoteUnreachable, match="no answer within"):
        run(lambda api: api.call("GET", "/a/"), user=user, server=server)
    assert len(given) > 1


@pytest.mark.parametrize(
    ("method", "failure", "error", "tries"),
    [
        ("POST", httpx.ReadError("gone"), InDoubt, 1),
        ("POST", refused(502), InDoubt, 1),
        ("POST", refused(504), InDoubt, 1),
        ("POST", httpx.ConnectError("refused"), RemoteUnreachable, 4),
        ("POST", refused(503), APIError, 4),
        ("PUT", httpx.ReadError("gone"), RemoteUnreachable, 4),
        ("GET", refused(502), APIError, 4),
    ],
    ids=str,
)
def test_without_keys_a_lost_answer_to_a_post_is_in_doubt(
    user: User,
    server: Server,
    settings: Any,
    waits: list[float],
    method: str,
    failure: httpx.Response | Exception,
    error: type[RepomillError],
    tries: int,
) -> None:
    settings.AGENT_API_HONOURS_KEYS = False
    server.answers = [failure]
    with pytest.raises(error):
        run(lambda api: api.call(method, "/a/"), user=user, server=server)
    assert len(server.requests) == tries


@pytest.mark.parametrize(
    ("honoured", "method", "sent"), [(True, "POST", True), (False, "POST", False), (False, "GET", True)], ids=str
)
def test_what_a_dead_worker_may_have_sent_is_not_sent_again_where_keys_are_not_honoured(
    user: User, server: Server, settings: Any, honoured: bool, method: str, sent: bool
) -> None:
    settings.AGENT_API_HONOURS_KEYS = honoured

    def again() -> Any:
        return calls.run(
            lambda api: api.call(method, "/a/"),
            user=user,
            idempotency_key="task-1",
            taken_over=True,
            transport=server.transport,
        )

    if sent:
        assert again() == {"ok": True}
    else:
        with pytest.raises(InDoubt, match="its worker died"):
            again()
    assert len(server.requests) == sent
