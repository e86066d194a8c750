"""The token that AgentAPICaller acts with: minted, renewed in the middle of a call, and never repeated."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from django.conf import settings as django_settings

from backend.apps.agents.errors import APIError
from backend.apps.agents.services.api_caller import AgentAPICaller
from backend.apps.agents.services.user_token import UserToken
from backend.apps.authentication.models import User
from backend.errors import (
    PermissionRefused,
)
from tests.unit.agents.conftest import Server, refused, run

ORIGIN = django_settings.BACKEND_URL


def test_one_401_gets_a_fresh_token(user: User, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    minted = iter(["first-token", "second-token"])
    monkeypatch.setattr("backend.apps.agents.services.user_token.jwt_service.generate_token", lambda each: next(minted))
    server.answers = [refused(401), httpx.Response(200, json=[1])]
    assert run(lambda api: api.call("POST", "/a/", data={}), user=user, server=server) == [1]
    assert [each.headers["Authorization"] for each in server.requests] == ["Bearer first-token", "Bearer second-token"]
    assert server.keys() == ["task-1:1"] * 2


def test_a_token_that_expires_between_two_tries_of_one_call_is_renewed(
    user: User, server: Server, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    minted = iter(["first-token", "second-token", "third-token"])
    monkeypatch.setattr("backend.apps.agents.services.user_token.jwt_service.generate_token", lambda each: next(minted))
    server.answers = [refused(503), refused(401), refused(503), refused(401), httpx.Response(201, json={"id": 1})]
    assert run(lambda api: api.call("POST", "/a/", data={}), user=user, server=server) == {"id": 1}
    assert [each.headers["Authorization"].partition("-")[0] for each in server.requests] == [
        *("Bearer first", "Bearer first", "Bearer second", "Bearer second", "Bearer third")
    ]
    assert server.keys() == ["task-1:1"] * 5


def test_a_second_401_is_the_answer(user: User, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.apps.agents.services.user_token.jwt_service.generate_token", lambda each: "token-x")
    server.answers = [refused(401)]
    with pytest.raises(APIError, match="401"):
        run(lambda api: api.call("GET", "/a/"), user=user, server=server)
    assert len(server.requests) == 2


def test_a_server_that_repeats_the_token_does_not_get_it_into_results_or_errors(user: User, server: Server) -> None:
    def echo(request: httpx.Request) -> httpx.Response:
        status = 400 if request.method == "DELETE" else 200
        return httpx.Response(status, stream=httpx.ByteStream(json.dumps(dict(request.headers)).encode()))

    server.answers = [echo]
    result = run(lambda api: api.call("GET", "/a/"), user=user, server=server)
    assert result["authorization"] == "Bearer [token]"
    with pytest.raises(APIError) as caught:
        run(lambda api: api.call("DELETE", "/a/"), user=user, server=server)
    assert "eyJ" not in json.dumps(caught.value.as_json())


def test_an_inactive_user_is_refused_before_anything_is_built(user: User, server: Server) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)
    with pytest.raises(PermissionRefused, match="not active"):
        AgentAPICaller(user, transport=server.transport)


def test_tokens_are_minted_anew_before_they_expire(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    minted: list[str] = []

    def mint(each: User) -> str:
        minted.append(f"token-{len(minted)}")
        return minted[-1]

    monkeypatch.setattr("backend.apps.agents.services.user_token.jwt_service.generate_token", mint)
    now = [0.0]
    token = UserToken(user=user, clock=lambda: now[0])
    seen = []

    async def look() -> None:
        for moment in (0, 269, 271, 272):
            now[0] = float(moment)
            seen.append(await token.value())
        assert await token.renew(refused="token-0") == "token-1"

    asyncio.run(look())
    assert seen == ["token-0", "token-0", "token-1", "token-1"]


def test_inside_an_event_loop_the_token_is_minted_at_the_first_call(
    user: User, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    minted: list[User] = []

    def mint(each: User) -> str:
        minted.append(each)
        return "t0ken"

    monkeypatch.setattr("backend.apps.agents.services.user_token.jwt_service.generate_token", mint)

    async def inside() -> None:
        async with AgentAPICaller(user, transport=server.transport) as api:
            assert minted == []
            await api.call("GET", "/a/")
            await api.call("GET", "/a/")
        assert api.client.is_closed

    asyncio.run(inside())
    assert minted == [user]
