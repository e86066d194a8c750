"""Logging in and out of the console, and what its pages may load."""

from __future__ import annotations

import re

import pytest
from django.conf import LazySettings
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from backend.apps.authentication.models import User
from backend.apps.authentication.services.expiry import forget_expired
from backend.config.rates import Rate
from tests.browser.people import PASSWORD
from tests.unit.console.conftest import browser

pytestmark = pytest.mark.django_db
OPEN = {"login", "logout", "theme"}


def _addresses() -> list[tuple[str, str]]:
    """Return the name of every page and an address of it."""
    console = next(
        found
        for found in get_resolver().url_patterns
        if isinstance(found, URLResolver) and found.namespace == "console"
    )
    identifier = "00000000-0000-4000-8000-000000000000"
    found = []
    for pattern in console.url_patterns:
        assert isinstance(pattern, URLPattern)
        path = re.sub(r"<uuid:\w+>", identifier, str(pattern.pattern))
        found.append((pattern.name or "", "/console/" + re.sub(r"<\w+:\w+>", "1", path)))
    return found


def test_the_root_leads_to_the_console(client: Client) -> None:
    assert client.get("/").headers["Location"] == "/console/"
    assert client.get("/admin/login/?next=/admin/").headers["Location"] == "/console/login/?next=/admin/"


@pytest.mark.parametrize(("name", "address"), _addresses())
def test_nobody_sees_anything_without_logging_in(client: Client, name: str, address: str) -> None:
    if name in OPEN:
        return
    for answer in (client.get(address), client.post(address)):
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/console/login/")
    part = client.get(address, headers={"HX-Request": "true"})
    assert (part.status_code, part.headers["HX-Refresh"], part.content) == (204, "true", b"")


@pytest.mark.parametrize(("name", "address"), _addresses())
def test_what_changes_something_wants_the_token_of_the_form(ada: User, name: str, address: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ada)
    assert strict.post(address).status_code == 403


def test_in_and_out(client: Client, ada: User) -> None:
    page = client.post("/console/login/", {"username": "ada", "password": PASSWORD, "next": "/console/runs/"})
    assert page.headers["Location"] == "/console/runs/"
    assert client.get("/console/").status_code == 200
    assert client.session.get_expiry_age() == 12 * 3600
    client.post("/console/logout/")
    assert client.get("/console/").status_code == 302


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_logging_in_leads_nowhere_else(client: Client, ada: User, elsewhere: str) -> None:
    page = client.post("/console/login/", {"username": "ada", "password": PASSWORD, "next": elsewhere})
    assert page.headers["Location"] == "/console/"
    theme = client.post("/console/theme/", {"theme": "dark", "back": elsewhere})
    assert theme.headers["Location"] == "/console/"


def test_a_wrong_password_is_told_and_no_more(client: Client, ada: User) -> None:
    for name in ("ada", "nobody", "a\0b"):
        page = client.post("/console/login/", {"username": name, "password": "wrong"})
        assert page.status_code == 200
        assert "form" in page.text


def test_who_tries_too_often_waits(client: Client, ada: User, settings: LazySettings) -> None:
    cache.clear()
    settings.API_RATES = {"login": Rate(3, 3600), "user": None, "address": None}
    codes = [client.post("/console/login/", {"username": "ada", "password": "wrong"}).status_code for _ in range(4)]
    assert codes == [200, 200, 200, 429]
    right = client.post("/console/login/", {"username": "ada", "password": PASSWORD})
    assert right.status_code == 429
    assert int(right.headers["Retry-After"]) > 0
    assert "Too many tries" in right.text


def test_a_session_ends_with_the_password_and_with_the_account(ada: User) -> None:
    client, other = browser(ada), browser(ada)
    ada.set_password("another good one")
    ada.save()
    assert client.get("/console/").status_code == 302
    other.force_login(ada)
    assert other.get("/console/").status_code == 200
    User.objects.filter(pk=ada.pk).update(is_active=False)
    assert other.get("/console/").status_code == 302


def test_sessions_that_are_over_are_forgotten(ada: User) -> None:
    client, other = browser(ada), browser(ada)
    session = client.session
    session.set_expiry(-1)
    session.save()
    forget_expired()
    assert [row.session_key for row in Session.objects.all()] == [other.session.session_key]


@pytest.mark.parametrize("address", ["/console/login/", "/console/", "/console/design/", "/nothing", "/admin/"])
def test_a_page_runs_nothing_that_stands_in_it(operator: User, address: str) -> None:
    client = Client() if "login" in address else browser(operator)
    page = client.get(address)
    policy = page.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    if not address.startswith("/admin"):
        assert not re.search(r"<script(?![^>]*\ssrc=)|\sstyle=|\son\w+=|<style", page.text)
        assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", page.text)


def test_the_looks_are_remembered(ada: User) -> None:
    client = browser(ada)
    answer = client.post("/console/theme/", {"theme": "dark", "back": "/console/runs/"})
    assert answer.headers["Location"] == "/console/runs/"
    assert answer.cookies["theme"]["httponly"]
    assert 'data-theme="dark"' in client.get("/console/").text
    client.cookies["theme"] = '"><script>'
    assert "data-theme" not in client.get("/console/").text


@pytest.mark.parametrize("code", [400, 403, 404, 500])
def test_what_went_wrong_is_told_without_a_database(code: int) -> None:
    from django.template.loader import render_to_string

    assert "Repomill" in render_to_string(f"{code}.html")
