"""What AgentAPICaller sends, what it tries again, and what it makes of the answers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from django.conf import settings as django_settings

from backend.apps.agents.errors import InvalidEndpoint
from backend.apps.agents.services import calls
from backend.apps.agents.services.api_caller import AgentAPICaller
from backend.apps.authentication.models import User
from backend.errors import (
    InvalidInput,
)
from tests.unit.agents.conftest import Server, run

ORIGIN = django_settings.BACKEND_URL


def test_a_call_goes_to_the_api_as_the_user(user: User, server: Server) -> None:
    answer = run(lambda api: api.call("get", "/projects/", params={"page": 2}), user=user, server=server)
    assert answer == {"ok": True}
    request = server.requests[0]
    assert (request.method, str(request.url)) == ("GET", f"{ORIGIN}/api/v1/projects/?page=2")
    token = request.headers["Authorization"].removeprefix("Bearer ")
    assert jwt.decode(token, options={"verify_signature": False})["user_id"] == str(user.pk)
    assert request.headers["Accept"] == "application/json"
    assert request.headers["Accept-Encoding"] == "identity"
    assert "Idempotency-Key" not in request.headers
    assert "Content-Type" not in request.headers
    assert request.content == b""


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "post"])
def test_unsafe_calls_carry_keys_that_a_repeat_repeats(user: User, server: Server, method: str) -> None:
    async def twice(api: AgentAPICaller) -> None:
        await api.call(method, "/a/", data={"x": 1})
        await api.call("GET", "/a/")
        await api.call(method, "/b/", data={"x": 2})

    run(twice, user=user, server=server)
    run(twice, user=user, server=server)
    assert server.keys() == ["task-1:1", None, "task-1:2"] * 2


def test_without_a_key_each_unsafe_call_has_a_random_one(user: User, server: Server, waits: list[float]) -> None:
    server.answers = [httpx.ReadError("gone"), httpx.Response(201, json={}), httpx.Response(201, json={})]

    async def twice(api: AgentAPICaller) -> None:
        await api.call("POST", "/a/", data={})
        await api.call("POST", "/a/", data={})

    run(twice, user=user, server=server, key=None)
    first, repeated, second = server.keys()
    assert first == repeated != second


@pytest.mark.parametrize("key", ["", "a b", "a\r\nX: y", "é", "k" * 241])
def test_a_key_that_no_header_can_hold_is_refused(user: User, key: str) -> None:
    with pytest.raises(InvalidInput, match="idempotency key"):
        AgentAPICaller(user, idempotency_key=key)


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "OPTIONS", "HEAD", "", "GET ", "G\r\nET", "PO\u017fT", None])
def test_other_methods_are_refused_before_anything_is_sent(user: User, server: Server, method: Any) -> None:
    with pytest.raises(InvalidInput, match="not allowed"):
        run(lambda api: api.call(method, "/a/"), user=user, server=server)
    assert server.requests == []


@pytest.mark.parametrize("endpoint", ["http://evil.invalid/x", "//evil.invalid/x", "../../admin", "a/%2e%2e/b"])
def test_endpoints_elsewhere_are_refused_before_anything_is_sent(user: User, server: Server, endpoint: str) -> None:
    with pytest.raises(InvalidEndpoint):
        run(lambda api: api.call("POST", endpoint, data={}), user=user, server=server)
    assert server.requests == []


@pytest.mark.parametrize("data", [{"x": object()}, {"x": float("nan")}, {"x": "\ud800"}, {1: 2, "a": 3}])
def test_data_that_is_no_json_is_refused_before_anything_is_sent(user: User, server: Server, data: Any) -> None:
    with pytest.raises(InvalidInput, match="not JSON"):
        run(lambda api: api.call("POST", "/a/", data=data), user=user, server=server)
    assert server.requests == []


def test_equal_data_is_sent_as_equal_bytes(user: User, server: Server) -> None:
    async def both(api: AgentAPICaller) -> None:
        await api.call("POST", "/a/", data={"a": 1, "b": "€"})
        await api.call("POST", "/a/", data={"b": "€", "a": 1})

    run(both, user=user, server=server)
    assert server.requests[0].content == server.requests[1].content == '{"a":1,"b":"€"}'.encode()
    assert server.requests[0].headers["Content-Type"] == "application/json"


def test_the_headers_are_ours_alone(user: User, server: Server) -> None:
    run(lambda api: api.call("POST", "/a/", data={"Host": "evil"}, params={"Cookie": "x"}), user=user, server=server)
    assert {name.lower() for name in server.requests[0].headers} == {
        *("host", "accept", "accept-encoding", "connection", "user-agent", "authorization"),
        *("content-type", "content-length", "idempotency-key"),
    }
    assert server.requests[0].headers["Host"] == httpx.URL(ORIGIN).netloc.decode()


def test_the_environment_has_no_say(user: User, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    netrc = tmp_path / "netrc"
    netrc.write_text("default login evil password evil\n")
    monkeypatch.setenv("NETRC", str(netrc))
    caller = AgentAPICaller(user)
    assert not caller.client.trust_env
    # httpx keeps the proxies of the environment as transports of their own.
    assert caller.client._mounts == {}
    asyncio.run(caller.close())


def test_run_call_is_the_door_for_workers(user: User, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    original = AgentAPICaller.__init__
    monkeypatch.setattr(
        AgentAPICaller,
        "__init__",
        lambda self, user, **arguments: original(self, user, **{**arguments, "transport": server.transport}),
    )
    answer = calls.run_call(
        user=user, idempotency_key="key", method="POST", endpoint="/a/", data={"b": 1}, params={"c": 2}
    )
    assert answer == {"ok": True}
    assert server.bodies() == [{"b": 1}]
    assert server.requests[0].url.raw_path == b"/api/v1/a/?c=2"
    assert server.keys() == ["key:1"]
