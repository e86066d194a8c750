"""What AgentAPICaller sends, what it tries again, and what it makes of the answers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from django.conf import settings as django_settings

from backend.apps.agents.errors import APIError, InvalidEndpoint
from backend.apps.agents.services import calls, connection
from backend.apps.agents.services.api_caller import AgentAPICaller
from backend.apps.agents.services.user_token import UserToken
from backend.apps.authentication.models import User
from backend.errors import (
    InDoubt,
    InvalidInput,
    PermissionRefused,
    RateLimited,
    RemoteUnreachable,
    RepomillError,
)
from tests.unit.agents.conftest import Server, run

ORIGIN = django_settings.BACKEND_URL


def refused(status: int, **headers: str) -> httpx.Response:
    return httpx.Response(
        status, json={"detail": "No."}, headers={name.replace("_", "-"): headers[name] for name in headers}
    )


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
