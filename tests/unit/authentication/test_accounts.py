"""The user's own account, and the end of a refresh token."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import RefreshToken

from backend.apps.authentication.models import EndedRefreshToken, User
from backend.apps.authentication.services.expiry import forget_expired

pytestmark = pytest.mark.django_db
ME = "/api/v1/auth/me/"
PASSWORD = "correct horse battery"


@pytest.fixture
def user() -> User:
    return User.objects.create_user("ada", password=PASSWORD)


def pair() -> dict[str, str]:
    answer = APIClient().post("/api/v1/auth/token/", {"username": "ada", "password": PASSWORD})
    found: dict[str, str] = answer.json()
    return found


def client(access: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    return client


def refresh(token: str) -> Any:
    return APIClient().post("/api/v1/auth/token/refresh/", {"refresh": token})


def revoke(token: str) -> Any:
    return APIClient().post("/api/v1/auth/token/revoke/", {"refresh": token})


def test_an_account_is_read_and_changed(user: User) -> None:
    me = client(pair()["access"])
    shown = me.get(ME).json()
    assert (shown["id"], shown["username"], shown["operator"], shown["token"]) == (str(user.pk), "ada", False, None)
    assert "password" not in shown
    changed = me.patch(ME, {"first_name": "Ada", "email": "ada@example.org"}).json()
    assert changed == {**shown, "first_name": "Ada", "email": "ada@example.org"}
    assert me.get(ME).json() == changed


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"is_superuser": True}, 400),
        ({"is_active": False}, 400),
        ({"password": "x"}, 400),
        ({"email": "nonsense"}, 400),
        ({"username": "root", "operator": True, "id": "5d1c2a70-0000-4000-8000-000000000000"}, 200),
    ],
    ids=str,
)
def test_nobody_makes_themselves_more(user: User, body: Any, status: int) -> None:
    before = User.objects.filter(pk=user.pk).values().get()
    assert client(pair()["access"]).patch(ME, body).status_code == status
    assert User.objects.filter(pk=user.pk).values().get() == before


def test_a_new_password_ends_all_tokens(user: User) -> None:
    tokens = pair()
    body = {"old_password": PASSWORD, "new_password": "another horse battery"}
    assert client(tokens["access"]).post(f"{ME}password/", body).status_code == 204
    assert client(tokens["access"]).get(ME).status_code == 401
    assert refresh(tokens["refresh"]).status_code == 401
    user.refresh_from_db()
    assert user.check_password("another horse battery")


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("wrong", "another horse battery", "old_password"),
        (PASSWORD, "tiny9", "new_password"),
        (PASSWORD, "123456789012", "new_password"),
    ],
)
def test_a_password_that_will_not_do_changes_nothing(user: User, old: str, new: str, field: str) -> None:
    answer = client(pair()["access"]).post(f"{ME}password/", {"old_password": old, "new_password": new})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, field)
    assert new not in answer.content.decode()
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_a_refresh_token_that_was_given_back_is_good_for_nothing(user: User) -> None:
    tokens, other = pair(), pair()
    for _ in range(2):
        assert revoke(tokens["refresh"]).status_code == 204
    answer = refresh(tokens["refresh"])
    assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")
    # An access token lives out its minutes, and other logins stay.
    assert client(tokens["access"]).get(ME).status_code == 200
    assert refresh(other["refresh"]).status_code == 200


@pytest.mark.parametrize("token", ["nonsense", "access", "expired"])
def test_only_a_refresh_token_can_be_given_back(user: User, token: str) -> None:
    old = RefreshToken.for_user(user)
    old.set_exp(from_time=timezone.now() - timedelta(days=9))
    values = {"nonsense": "nonsense", "access": pair()["access"], "expired": str(old)}
    assert revoke(values[token]).status_code == 401
    assert EndedRefreshToken.objects.count() == 0


def test_what_has_expired_is_forgotten(user: User) -> None:
    revoke(pair()["refresh"])
    EndedRefreshToken.objects.create(jti="old", expires_at=timezone.now() - timedelta(seconds=1))
    assert forget_expired() == 1
    assert EndedRefreshToken.objects.exclude(jti="old").count() == 1
