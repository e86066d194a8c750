"""Who gets a token, and which tokens are believed."""

from __future__ import annotations

import base64
import json
import time
from typing import Any
from uuid import uuid4

import jwt
import pytest
from django.conf import settings
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import RefreshToken
from rest_framework_simplejwt.utils import get_md5_hash_password

from backend.apps.authentication.models import User
from backend.apps.authentication.services.jwt_service import jwt_service
from backend.errors import PermissionRefused

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
KEY = str(settings.SIMPLE_JWT["SIGNING_KEY"])


@pytest.fixture
def user() -> User:
    return User.objects.create_user("ada", password=PASSWORD)


def ask(token: str | None, *, scheme: str = "Bearer") -> Any:
    headers = {} if token is None else {"Authorization": f"{scheme} {token}"}
    return APIClient().get("/api/v1/projects/", headers=headers)


def signed(user: User, *, key: str = KEY, algorithm: str = "HS256", headers: Any = None, **claims: Any) -> str:
    """Return a token that is good but for the claims given; a claim of None is left out."""
    good = {
        "token_type": "access",
        "exp": int(time.time()) + 300,
        "iat": int(time.time()),
        "jti": uuid4().hex,
        "user_id": str(user.pk),
        "hash_password": get_md5_hash_password(user.password),
    }
    payload = {name: value for name, value in (good | claims).items() if value is not None}
    return jwt.encode(payload, key, algorithm=algorithm, headers=headers)


def encoded(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def test_a_generated_token_is_believed(user: User) -> None:
    assert ask(jwt_service.generate_token(user)).status_code == 200
    assert ask(signed(user)).status_code == 200


def test_a_generated_token_is_short_lived(user: User) -> None:
    claims = jwt.decode(jwt_service.generate_token(user), KEY, algorithms=["HS256"])
    assert claims["exp"] - claims["iat"] == jwt_service.lifetime.total_seconds() <= 600
    assert claims["token_type"] == "access"


def test_headers_that_point_elsewhere_are_ignored(user: User) -> None:
    token = signed(user, headers={"kid": "../../dev/null", "jku": "http://evil.invalid/"})
    assert ask(token).status_code == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"exp": 10**30},
        {"exp": [1]},
        {"token_type": "refresh"},
        {"token_type": None},
        {"jti": None},
        {"user_id": {"id": 1}},
        {"user_id": ["a"]},
        {"user_id": 7},
        {"user_id": "1 OR 1=1"},
        {"user_id": "\0"},
        {"user_id": None},
        {"user_id": "5d1c2a70-0000-4000-8000-000000000000"},
        {"hash_password": "0" * 32},
        {"hash_password": None},
        {"iat": "now"},
    ],
    ids=str,
)
def test_senseless_claims_are_a_401_although_they_are_signed(user: User, claims: dict[str, Any]) -> None:
    answer = ask(signed(user, **claims))
    assert answer.status_code == 401, answer.content
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_forged_tokens_are_a_401(user: User) -> None:
    good = signed(user)
    header, payload, signature = good.split(".")
    claims = {"user_id": str(user.pk), "exp": int(time.time()) + 300, "token_type": "access", "jti": "x"}
    forged = [
        signed(user, key="another key that is at least as long as it has to be"),
        signed(user, algorithm="HS512", key=KEY * 2),
        f"{encoded({'alg': 'none', 'typ': 'JWT'})}.{encoded(claims)}.",
        f"{encoded({'alg': 'None', 'typ': 'JWT'})}.{encoded(claims)}.{signature}",
        f"{encoded({'alg': 'HS512', 'typ': 'JWT'})}.{payload}.{signature}",
        f"{header}.{payload}.",
        f"{header}.{payload}",
        f"{header}.{encoded(claims)}.{signature}",
        "nonsense",
        "a b",
    ]
    assert [ask(token).status_code for token in forged] == [401] * len(forged)
    assert ask(None).status_code == 401
    assert ask(good, scheme="Token").status_code == 401


@pytest.mark.parametrize("ending", ["deactivated", "deleted", "new password"])
def test_tokens_end_with_the_account_and_the_password(user: User, ending: str) -> None:
    access, refresh = jwt_service.generate_token(user), str(RefreshToken.for_user(user))
    if ending == "deleted":
        user.delete()
    elif ending == "deactivated":
        User.objects.filter(pk=user.pk).update(is_active=False)
    else:
        user.set_password("another horse battery")
        user.save()
    assert ask(access).status_code == 401
    answer = APIClient().post("/api/v1/auth/token/refresh/", {"refresh": refresh})
    assert answer.status_code == 401
    assert answer.json()["code"] == "token_not_valid"


@pytest.mark.parametrize("ending", ["deactivated", "deleted"])
def test_no_token_is_generated_for_who_may_not_act(user: User, ending: str) -> None:
    stale = User.objects.get(pk=user.pk)
    if ending == "deleted":
        user.delete()
    else:
        User.objects.filter(pk=user.pk).update(is_active=False)
    with pytest.raises(PermissionRefused, match="not active"):
        jwt_service.generate_token(stale)


def test_a_stale_user_object_gets_a_token_that_is_believed(user: User) -> None:
    stale = User.objects.get(pk=user.pk)
    user.set_password("another horse battery")
    user.save()
    assert ask(jwt_service.generate_token(stale)).status_code == 200


def test_a_password_gives_a_pair_and_the_refresh_token_a_new_access_token(user: User) -> None:
    pair = APIClient().post("/api/v1/auth/token/", {"username": "ada", "password": PASSWORD}).json()
    assert ask(pair["access"]).status_code == 200
    answer = APIClient().post("/api/v1/auth/token/refresh/", {"refresh": pair["refresh"]})
    assert answer.status_code == 200
    assert set(answer.json()) == {"access"}
    assert ask(answer.json()["access"]).status_code == 200


@pytest.mark.parametrize("refresh", ["nonsense", "access", "nobody", "odd exp"])
def test_other_tokens_do_not_refresh(user: User, refresh: str) -> None:
    tokens = {
        "nonsense": "nonsense",
        "access": jwt_service.generate_token(user),
        "nobody": signed(user, token_type="refresh", user_id="\0"),
        "odd exp": signed(user, token_type="refresh", exp=10**30),
    }
    answer = APIClient().post("/api/v1/auth/token/refresh/", {"refresh": tokens[refresh]})
    assert answer.status_code == 401
    assert answer.json()["code"] == "token_not_valid"


def test_wrong_passwords_and_inactive_accounts_look_alike(user: User) -> None:
    User.objects.create_user("bob", password=PASSWORD, is_active=False)
    answers = [
        APIClient().post("/api/v1/auth/token/", {"username": name, "password": password})
        for name, password in [("ada", "wrong"), ("bob", PASSWORD), ("nobody", PASSWORD)]
    ]
    assert [answer.status_code for answer in answers] == [401] * 3
    assert len({answer.content for answer in answers}) == 1


def test_missing_fields_are_named() -> None:
    answer = APIClient().post("/api/v1/auth/token/", {"username": "ada\0", "other": 1})
    assert answer.status_code == 400
