"""Logging in with an OpenID Connect provider: who gets in as whom, and who does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import LazySettings
from django.http import HttpResponse
from django.test import Client
from django.urls import clear_url_caches, include, path

from backend.apps.authentication.models import OutsideIdentity, User
from backend.config import urls as root
from backend.config.single_sign_on import oidc_settings
from backend.errors import ConfigurationError
from tests.unit.console.provider import Provider


@pytest.fixture
def provider(settings: LazySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A provider that the installation knows, as after a start with its file."""
    provider = Provider()
    file = tmp_path / "oidc.json"
    file.write_text(json.dumps(provider.described()))
    for name, value in oidc_settings(file).items():
        setattr(settings, name, value)
    extra = [path("console/sso/", include("mozilla_django_oidc.urls"))]
    monkeypatch.setattr(root, "urlpatterns", [*extra, *root.urlpatterns])
    clear_url_caches()
    provider.told = {"sub": "42", "preferred_username": "grace", "email": "grace@example.org"}
    yield provider
    provider.stop()
    clear_url_caches()


def come_back(client: Client, provider: Provider, *, state: str | None = None, next_page: str = "") -> HttpResponse:
    """Go to the provider and come back, as a browser does."""
    sent: Any = client.get("/console/sso/authenticate/" + (f"?next={next_page}" if next_page else ""))
    assert sent.headers["Location"].startswith(f"{provider.origin}/authorize?")
    asked = parse_qs(urlsplit(sent.headers["Location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    provider.nonce = asked["nonce"][0]
    answer: Any = client.get("/console/sso/callback/", {"code": "c", "state": state or asked["state"][0]})
    back: HttpResponse = answer
    return back


@pytest.mark.django_db
def test_somebody_new_gets_an_account_and_the_same_one_again(client: Client, provider: Provider) -> None:
    back = come_back(client, provider, next_page="/console/runs/")
    assert back.headers["Location"] == "/console/runs/"
    user = OutsideIdentity.objects.get(issuer=provider.origin, subject="42").user
    assert (user.username, user.email, user.is_superuser, user.is_staff) == ("grace", "grace@example.org", False, False)
    assert not user.has_usable_password()
    assert client.get("/console/").status_code == 200
    provider.told |= {"preferred_username": "another", "email": "other@example.org"}
    come_back(Client(), provider)
    assert User.objects.count() == 1
    assert "code_verifier" in provider.forms[0]


@pytest.mark.django_db
@pytest.mark.parametrize("told", [{"preferred_username": "operator"}, {"email": "operator@example.org"}])
def test_nobody_becomes_somebody_else_by_a_name(client: Client, provider: Provider, told: dict[str, str]) -> None:
    operator = User.objects.create_superuser("operator", email="operator@example.org", password="x")
    provider.told = {"sub": "42", **told}
    come_back(client, provider)
    made = OutsideIdentity.objects.get().user
    assert made != operator
    assert (made.username, made.is_superuser) == ("operator-2", False)


FOREIGN_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://elsewhere.example"},
        {"aud": "another client"},
        {"aud": ["a", "b"]},
        {"aud": None},
        {"exp": None},
        {"exp": 1},
        {"sub": None},
        {"sub": "43"},
        {"nonce": "another"},
        {"key": FOREIGN_KEY},
    ],
)
def test_a_token_that_is_not_for_us_lets_nobody_in(client: Client, provider: Provider, claims: dict[str, Any]) -> None:
    claims = dict(claims)
    provider.signing_key = claims.pop("key", provider.key)
    provider.claims = claims
    client.raise_request_exception = False
    back = come_back(client, provider)
    assert back.status_code in {302, 400}
    assert User.objects.count() == 0
    assert client.get("/console/").status_code == 302


@pytest.mark.django_db
def test_an_account_that_has_ended_and_a_strangers_state(client: Client, provider: Provider) -> None:
    user = User.objects.create_user("grace", is_active=False)
    OutsideIdentity.objects.create(user=user, issuer=provider.origin, subject="42")
    back = come_back(client, provider)
    assert back.headers["Location"] == "/console/login/"
    assert "did not let you in" in client.get("/console/login/").text
    client.raise_request_exception = False
    assert come_back(client, provider, state="strange").status_code == 400


SENSELESS = ["", "<html>", "[]", "null", "3", '"x"', "{}", '{"id_token": 3, "access_token": "a"}', '{"keys": [{}]}']


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/token", "/keys"])
@pytest.mark.parametrize("answer", [None, (500, ""), (503, "{}"), (429, "{}"), *((200, text) for text in SENSELESS)])
def test_trouble_at_the_provider_is_told_on_the_page(
    client: Client, provider: Provider, settings: LazySettings, path: str, answer: tuple[int, str] | None
) -> None:
    settings.OIDC_TIMEOUT = 0.2
    provider.instead[path] = answer
    back = come_back(client, provider)
    assert (back.status_code, back.headers["Location"]) == (302, "/console/login/")
    assert "Acme does not answer as it should just now." in client.get("/console/login/").text
    assert User.objects.count() == 0


@pytest.mark.django_db
@pytest.mark.parametrize("answer", [None, (502, ""), *((200, text) for text in SENSELESS)])
def test_trouble_while_the_provider_tells_of_a_person(
    client: Client, provider: Provider, settings: LazySettings, answer: tuple[int, str] | None
) -> None:
    settings.OIDC_TIMEOUT = 0.2
    provider.instead["/userinfo"] = answer
    assert come_back(client, provider).headers["Location"] == "/console/login/"
    assert "Acme" in client.get("/console/login/").text
    assert User.objects.count() == 0


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/token", "/keys", "/userinfo"])
def test_what_the_provider_refuses_is_a_login_that_failed(client: Client, provider: Provider, path: str) -> None:
    provider.instead[path] = (401, '{"error": "invalid_client", "hint": "canary"}')
    assert come_back(client, provider).headers["Location"] == "/console/login/"
    shown = client.get("/console/login/").text
    assert "did not let you in" in shown
    assert "canary" not in shown


@pytest.mark.django_db
def test_a_provider_that_is_away(client: Client, provider: Provider) -> None:
    provider.server.server_close()
    assert come_back(client, provider).headers["Location"] == "/console/login/"
    assert "Acme does not answer" in client.get("/console/login/").text


@pytest.mark.django_db
def test_a_login_with_a_password_never_asks_the_provider(client: Client, provider: Provider) -> None:
    User.objects.create_user("ada", password="right")
    for password, status in (("wrong", 200), ("right", 302)):
        form = {"username": "ada", "password": password}
        assert client.post("/console/login/?code=c&state=s", form).status_code == status
    assert provider.forms == []


@pytest.mark.django_db
def test_words_that_cannot_be_stored(client: Client, provider: Provider) -> None:
    provider.told = {"sub": "42", "preferred_username": "g\0", "email": "g\0@x.example", "given_name": "G\0race"}
    come_back(client, provider)
    user = User.objects.get()
    assert (user.username, user.email, user.first_name) == ("g-", "g@x.example", "Grace")


GOOD = {
    "client_id": "repomill",
    "client_secret": "hush",
    "issuer": "https://id.example",
    "authorization_endpoint": "https://id.example/a",
    "token_endpoint": "https://id.example/t",
    "userinfo_endpoint": "https://id.example/u",
    "jwks_uri": "https://id.example/k",
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"client_id": ""}, "client_id"),
        ({"jwks_uri": None}, "jwks_uri"),
        ({"token_endpoint": "http://id.example/t"}, "token_endpoint"),
        ({"algorithm": "none"}, "algorithm"),
        ({"algorithm": "HS256"}, "algorithm"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_by_name(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    file = tmp_path / "oidc.json"
    file.write_text(json.dumps(GOOD))
    assert oidc_settings(file)["SINGLE_SIGN_ON"] == "id.example"
    file.write_text(json.dumps(GOOD | change))
    with pytest.raises(ConfigurationError) as caught:
        oidc_settings(file)
    assert said in caught.value.message
    assert "hush" not in caught.value.message
    assert "REPOMILL_OIDC_FILE" in caught.value.message


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_file_that_is_no_object(tmp_path: Path, text: str) -> None:
    file = tmp_path / "oidc.json"
    file.write_text(text)
    with pytest.raises(ConfigurationError):
        oidc_settings(file)
    with pytest.raises(ConfigurationError):
        oidc_settings(tmp_path / "none.json")
