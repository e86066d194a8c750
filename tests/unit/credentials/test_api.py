"""Credentials over REST: whose they are, and that a secret goes in and never comes out."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from backend.api.models import IdempotentRequest
from backend.apps.authentication.models import User
from backend.apps.credentials.models import Credential
from backend.apps.credentials.services.secrets import open_secret
from backend.apps.projects.models import Project, ProjectMembership
from tests.unit.credentials.host_server import HostServer, Reply, github

pytestmark = pytest.mark.django_db
PATH = "/api/v1/credentials/"


def client_of(user: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


@pytest.fixture
def client(ada: User) -> APIClient:
    return client_of(ada)


@pytest.fixture
def mill(ada: User) -> Project:
    return Project.objects.create(name="Mill", slug="mill", owner=ada)


@pytest.fixture
def made(client: APIClient, canary: str) -> Any:
    answer = client.post(PATH, {"name": "acme-bot", "host": "github", "value": canary})
    assert answer.status_code == 201, answer.content
    return answer.json()


def at(credential: Any, rest: str = "") -> str:
    return f"{PATH}{credential['id']}/{rest}"


def value_of(credential: Any) -> str:
    return open_secret(Credential.objects.get(pk=credential["id"]), used=False).reveal()


def test_a_credentials_life(client: APIClient, made: Any, canary: str, caplog: pytest.LogCaptureFixture) -> None:
    assert (made["name"], made["host"], made["base_url"]) == ("acme-bot", "github", "https://github.com")
    assert (made["username"], made["owner"], made["own"], made["project"]) == ("x-access-token", "ada", True, None)
    assert value_of(made) == canary
    shown = client.get(at(made))
    listed = client.get(PATH)
    assert listed.json()["results"] == [shown.json()] == [made]
    rotated = client.post(at(made, "rotate/"), {"value": f"{canary}2"})
    assert (rotated.status_code, value_of(made)) == (200, f"{canary}2")
    assert client.delete(at(made)).status_code == 204
    assert client.get(at(made)).status_code == 404
    said = [answer.content.decode() for answer in (shown, listed, rotated)]
    assert canary not in "".join(said) + str(made) + caplog.text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x", "host": "github"}, "value"),
        ({"name": "x", "host": "sourceforge", "value": "CANARY"}, "host"),
        ({"name": "Not A Name", "host": "github", "value": "CANARY"}, "name"),
        ({"name": "ghp_CANARYCANARY", "host": "github", "value": "CANARY"}, "name"),
        ({"name": "x", "host": "git", "value": "CANARY"}, "base_url"),
        ({"name": "x", "host": "github", "value": "CANARY\nCANARY"}, "value"),
        ({"name": "x", "host": "github", "value": "CANARY CANARY"}, "value"),
        ({"name": "x", "host": "github", "value": " "}, "value"),
        ({"name": "x", "host": "github", "value": ["CANARY"]}, "value"),
        ({"name": "x", "host": "github", "value": "CANARY" * 2000}, "value"),
        ({"name": "x", "host": "github", "value": "CANARY", "secret": "CANARY"}, "secret"),
        ({"name": "x", "host": "github", "value": "CANARY", "base_url": "http://169.254.169.254"}, "base_url"),
    ],
)
def test_what_is_refused_repeats_no_secret(
    client: APIClient, body: dict[str, Any], field: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = client.post(PATH, body)
    assert answer.status_code == 400, answer.content
    assert field in [each["field"] for each in answer.json()["errors"]]
    assert "CANARY" not in answer.content.decode() + caplog.text
    assert not Credential.objects.exists()


def test_names_are_taken_once(client: APIClient, made: Any) -> None:
    answer = client.post(PATH, {"name": "acme-bot", "host": "gitlab", "value": "other"})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


def test_a_repeated_request_keeps_one_and_nothing_of_its_secret(client: APIClient, canary: str) -> None:
    body = {"name": "a", "host": "github", "value": canary}
    first, again = (client.post(PATH, body, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.json(), again["Idempotency-Replayed"]) == (again.json(), "true")
    other = client.post(PATH, {**body, "value": "x"}, headers={"Idempotency-Key": "k"})
    assert other.status_code == 422
    assert canary not in str(IdempotentRequest.objects.values())


def test_shared_with_a_projects_members(client: APIClient, made: Any, mill: Project, bob: User, canary: str) -> None:
    theirs = client_of(bob)
    assert theirs.get(at(made)).status_code == 404
    answer = client.patch(at(made), {"project": str(mill.pk)})
    assert (answer.status_code, answer.json()["project"]) == (200, str(mill.pk))
    assert value_of(made) == canary
    assert theirs.get(at(made)).status_code == 404
    ProjectMembership.objects.create(project=mill, user=bob, role="author")
    seen = theirs.get(at(made)).json()
    assert (seen["owner"], seen["own"]) == ("ada", False)
    assert [each["id"] for each in theirs.get(PATH).json()["results"]] == [made["id"]]
    # Who shares it may name it, and no more.
    for refused in (
        theirs.delete(at(made)),
        theirs.patch(at(made), {"project": None}),
        theirs.post(at(made, "rotate/"), {"value": "x"}),
    ):
        assert refused.status_code == 403
    assert client.patch(at(made), {"project": None}).status_code == 200
    assert theirs.get(at(made)).status_code == 404
    assert value_of(made) == canary


def test_shared_with_ones_own_projects_alone(client: APIClient, made: Any, mill: Project, bob: User) -> None:
    others = Project.objects.create(name="Others", slug="others", owner=bob)
    read = Project.objects.create(name="Read", slug="read", owner=bob)
    ProjectMembership.objects.create(project=read, user=User.objects.get(username="ada"), role="viewer")
    for project, status in ((others.pk, 404), (uuid4(), 404), (read.pk, 403), ("x", 400)):
        assert client.patch(at(made), {"project": str(project)}).status_code == status
        body = {"name": "new", "host": "github", "value": "x", "project": str(project)}
        assert client.post(PATH, body).status_code == status
    assert client.patch(at(made), {}).status_code == 400
    assert Credential.objects.get().project_id is None
    shared = client.post(PATH, {"name": "new", "host": "github", "value": "x", "project": str(mill.pk)})
    assert (shared.status_code, shared.json()["project"]) == (201, str(mill.pk))


def test_strangers_find_nothing(made: Any, bob: User) -> None:
    theirs = client_of(bob)
    calls = [
        theirs.get(at(made)),
        theirs.delete(at(made)),
        theirs.patch(at(made), {"project": None}),
        theirs.post(at(made, "rotate/"), {"value": "x"}),
        theirs.post(at(made, "check/")),
    ]
    assert [answer.status_code for answer in calls] == [404] * 5
    assert theirs.get(PATH).json()["results"] == []
    assert [APIClient().get(path).status_code for path in (PATH, at(made))] == [401, 401]


def test_a_host_is_asked(client: APIClient, host: HostServer, canary: str) -> None:
    host.replies = github()
    body = {"name": "bot", "host": "github", "base_url": host.url, "value": canary, "check_with_host": True}
    made = client.post(PATH, body)
    assert made.status_code == 201, made.content
    assert (made.json()["account"], made.json()["scopes"]) == ("acme-bot", ["repo", "workflow"])
    found = client.post(at(made.json(), "check/"))
    assert (found.status_code, found.json()["account"], found.json()["asked"]) == (200, "acme-bot", True)
    assert found.json()["expires_at"].startswith("2031-01-31T10:00:00")
    host.replies = {"/api/v3/user": Reply({"message": "Bad credentials"}, status=401)}
    for answer in (
        client.post(at(made.json(), "check/")),
        client.post(PATH, {**body, "name": "other"}),
        client.post(at(made.json(), "rotate/"), {"value": "new", "check_with_host": True}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "credential_rejected")
        assert canary not in answer.content.decode()
    assert Credential.objects.count() == 1
    assert value_of(made.json()) == canary
