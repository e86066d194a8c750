"""Who asks too often is told to wait, and how long; and nothing stands still where nothing can be counted."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.core.cache import cache
from django.test import override_settings
from redis.exceptions import ConnectionError as Unreachable
from rest_framework.test import APIClient

from backend.api import throttles
from backend.apps.authentication.models import User
from backend.apps.authentication.services.jwt_service import jwt_service
from backend.apps.authentication.services.service_tokens import add_token
from backend.config.rates import Rate
from backend.config.redis_cache import Cache

pytestmark = pytest.mark.django_db
ME = "/api/v1/auth/me/"
LOGIN = "/api/v1/auth/token/"


class Clock:
    """Stands for the module `time`."""

    def __init__(self) -> None:
        self.now = 1_000_000_020.0

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    cache.clear()
    clock = Clock()
    monkeypatch.setattr(throttles, "time", clock)
    monkeypatch.setattr(throttles, "counter", throttles._Counter())
    return clock


def rates(**given: Rate) -> Any:
    return override_settings(API_RATES={"user": None, "address": None, "login": None, "dry_run": None, **given})


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_user_is_told_to_wait_whatever_token_they_come_with(clock: Clock) -> None:
    ada, bob = User.objects.create_user("ada"), User.objects.create_user("bob")
    mine = [jwt_service.generate_token(ada), add_token(user=ada, name="ci", scopes=()).value]
    with rates(user=Rate(4, 60)):
        answers = [APIClient().get(ME, headers=bearer(mine[number % 2])) for number in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 2
        refused = answers[-1]
        assert refused["Content-Type"] == "application/problem+json"
        assert (refused.json()["code"], refused["Retry-After"]) == ("throttled", "60")
        assert APIClient().get(ME, headers=bearer(jwt_service.generate_token(bob))).status_code == 200
        clock.now += 59
        assert APIClient().get(ME, headers=bearer(mine[0]))["Retry-After"] == "1"
        clock.now += 1
        assert APIClient().get(ME, headers=bearer(mine[0])).status_code == 200


def test_an_address_is_told_to_wait_where_nobody_is_known() -> None:
    with rates(address=Rate(2, 60)):
        statuses = [APIClient().get("/api/schema/").status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        assert APIClient(REMOTE_ADDR="10.0.0.7").get("/api/schema/").status_code == 200
        user = User.objects.create_user("ada")
        assert APIClient().get(ME, headers=bearer(jwt_service.generate_token(user))).status_code == 200


@pytest.mark.parametrize(("proxies", "status"), [(0, 429), (1, 200)])
def test_a_header_names_the_address_only_where_a_proxy_wrote_it(
    monkeypatch: pytest.MonkeyPatch, proxies: int, status: int
) -> None:
    from rest_framework.settings import api_settings

    monkeypatch.setattr(api_settings, "NUM_PROXIES", proxies)
    with rates(address=Rate(1, 60)):
        for number in (1, 2):
            answer = APIClient().get("/api/schema/", headers={"X-Forwarded-For": f"evil, 10.0.0.{number}"})
        assert answer.status_code == status


def test_logins_are_counted_by_address_and_by_account() -> None:
    def login(name: str, *, address: str) -> int:
        body = {"username": name, "password": "wrong"}
        return APIClient(REMOTE_ADDR=address).post(LOGIN, body).status_code

    with rates(login=Rate(2, 60)):
        assert [login(name, address="10.0.0.1") for name in ("ada", "bob", "eve")] == [401, 401, 429]
        # From ever new addresses one account is tried ten times and no more.
        statuses = [login("ann", address=f"10.0.1.{number}") for number in range(12)]
        assert statuses == [401] * 10 + [429] * 2
        assert APIClient(REMOTE_ADDR="10.0.2.1").post(LOGIN, {"username": {"a": 1}}).status_code == 400


@pytest.mark.parametrize("path", ["auth/token/refresh/", "auth/token/revoke/"])
def test_refresh_tokens_are_counted_too(path: str) -> None:
    with rates(login=Rate(2, 60)):
        statuses = [APIClient().post(f"/api/v1/{path}", {"refresh": "x"}).status_code for _ in range(3)]
    assert statuses == [401, 401, 429]


def test_an_old_password_cannot_be_guessed() -> None:
    token = jwt_service.generate_token(User.objects.create_user("ada", password="correct horse battery"))
    body = {"old_password": "x", "new_password": "another horse battery"}
    with rates(login=Rate(2, 60)):
        statuses = [APIClient().post(f"{ME}password/", body, headers=bearer(token)).status_code for _ in range(3)]
    assert statuses == [400, 400, 429]


def test_where_nothing_can_be_counted_everything_is_let_through_and_the_cache_left_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    asked = []

    def gone(self: Any, key: str, *args: Any) -> int:
        asked.append(key)
        raise Unreachable("no such socket")

    monkeypatch.setattr(type(cache._connections["default"]), "incr", gone)  # type: ignore[attr-defined]
    with rates(address=Rate(1, 60)), caplog.at_level(logging.WARNING, "backend.api.throttles"):
        assert [APIClient().get("/api/schema/").status_code for _ in range(3)] == [200] * 3
        assert len(asked) == 1
        clock.now += throttles.LEFT_ALONE_SECONDS
        APIClient().get("/api/schema/")
    assert len(asked) == 2
    assert "let through uncounted" in caplog.text


def test_the_settings_name_a_cache_that_runs_no_code_and_does_not_wait() -> None:
    from backend.config.settings import base

    given: Any = base.CACHES["default"]
    assert given["LOCATION"].startswith("redis+socket://")
    made = Cache(given["LOCATION"], {"OPTIONS": dict(given["OPTIONS"])})
    client: Any = made._cache
    serializer = client._serializer
    assert serializer.dumps(0) == b"0"
    with pytest.raises(Unreachable):
        made.incr("a")
    with pytest.raises(ValueError):
        serializer.loads(b"cposix\nsystem\n(S'true'\ntR.")
