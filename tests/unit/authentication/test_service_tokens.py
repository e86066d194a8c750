"""Tokens of programs: what they are good for, how they end, and that nobody sees them twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core import serializers
from django.utils import timezone
from rest_framework.test import APIClient

from backend.api.models import IdempotentRequest
from backend.apps.authentication.models import ServiceToken, User
from backend.apps.authentication.services.jwt_service import jwt_service
from backend.apps.authentication.services.service_tokens import add_token
from backend.apps.projects.models import Project, ProjectMembership
from backend.errors import Conflict, InvalidInput, NotFound, PermissionRefused

pytestmark = pytest.mark.django_db
V1 = "/api/v1"
TOKENS = f"{V1}/auth/tokens/"


@pytest.fixture
def user() -> User:
    return User.objects.create_user("ada", password="correct horse battery")


def made(user: User, *scopes: str, project_id: UUID | None = None, name: str = "ci") -> str:
    return add_token(user=user, name=name, scopes=scopes, project_id=project_id).value


def ask(token: str, method: str, path: str, body: Any = None, *, scheme: str = "Bearer") -> Any:
    return getattr(APIClient(), method)(f"{V1}/{path}", body, headers={"Authorization": f"{scheme} {token}"})


def test_a_token_acts_in_its_users_name(user: User) -> None:
    token = made(user, "write")
    answer = ask(token, "post", "projects/", {"name": "Mill"})
    assert (answer.status_code, answer.json()["owner"]) == (201, str(user.pk))
    account = ask(token, "get", "auth/me/").json()
    assert (account["username"], account["token"]) == ("ada", {"scopes": ["read", "write"], "project": None})
    assert ask(token, "get", "projects/", scheme="bearer").status_code == 200


def test_the_value_is_shown_once_and_kept_nowhere(user: User) -> None:
    answer = ask(jwt_service.generate_token(user), "post", "auth/tokens/", {"name": "ci", "scopes": ["run"]})
    assert answer.status_code == 201, answer.content
    value = answer.json()["token"]
    assert value.startswith("rmt_")
    assert len(value) > 40
    assert answer["Cache-Control"] == "no-store"
    shown = APIClient().get(answer["Location"], headers={"Authorization": f"Bearer {jwt_service.generate_token(user)}"})
    assert shown.json() == {key: each for key, each in answer.json().items() if key != "token"}
    assert (shown.json()["scopes"], shown.json()["ending"]) == (["read", "run"], value[-4:])
    kept = serializers.serialize("json", ServiceToken.objects.all())
    assert value not in kept
    assert value[4:-4] not in kept
    assert ask(value, "get", "projects/").status_code == 200


def test_a_key_does_not_keep_the_answer(user: User) -> None:
    headers = {"Authorization": f"Bearer {jwt_service.generate_token(user)}", "Idempotency-Key": "k"}
    for status in (201, 409):
        assert APIClient().post(TOKENS, {"name": "ci", "scopes": []}, headers=headers).status_code == status
    assert IdempotentRequest.objects.count() == 0


@pytest.mark.parametrize(
    ("ending", "works"),
    [
        ("nothing", True),
        ("new password", True),
        ("expired", False),
        ("revoked", False),
        ("deactivated", False),
        ("deleted", False),
    ],
)
def test_how_it_ends(user: User, ending: str, works: bool) -> None:
    token = made(user, "read")
    assert ask(token, "get", "projects/").status_code == 200
    match ending:
        case "new password":
            user.set_password("another horse battery")
            user.save()
        case "expired":
            ServiceToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        case "revoked":
            row = ServiceToken.objects.get()
            answer = ask(jwt_service.generate_token(user), "delete", f"auth/tokens/{row.pk}/")
            assert (answer.status_code, ServiceToken.objects.count()) == (204, 0)
        case "deactivated":
            User.objects.update(is_active=False)
        case "deleted":
            user.delete()
    answer = ask(token, "get", "projects/")
    assert answer.status_code == (200 if works else 401)
    if not works:
        assert answer.json()["code"] == "token_not_valid"
        assert answer["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "token", ["rmt_", "rmt_x", "rmt_" + "x" * 43, "rmt_\xe9", "rmt_a b", "RMT_x", "rmt_" + "x" * 10_000]
)
def test_others_are_a_401(user: User, token: str) -> None:
    made(user, "read")
    assert ask(token, "get", "projects/").status_code == 401


def test_a_tokens_digest_is_no_token(user: User) -> None:
    made(user)
    assert ask(f"rmt_{ServiceToken.objects.get().digest}", "get", "projects/").status_code == 401


CALLS: list[tuple[str, str, str, Any]] = [
    ("read", "get", "projects/", None),
    ("read", "get", "projects/{project}/", None),
    ("read", "get", "projects/{project}/members/", None),
    ("write", "post", "projects/", {"name": "New"}),
    ("write", "patch", "projects/{project}/", {"name": "New"}),
    ("write", "post", "projects/{project}/stories/", {"title": "T"}),
    ("manage", "post", "projects/{project}/members/", {"username": "bob"}),
    ("manage", "delete", "projects/{project}/", None),
]


@pytest.mark.parametrize("scope", ["read", "write", "run", "manage"])
@pytest.mark.parametrize(("needs", "method", "path", "body"), CALLS)
def test_a_token_does_what_its_scopes_say(
    user: User, scope: str, needs: str, method: str, path: str, body: Any
) -> None:
    User.objects.create_user("bob")
    project = Project.objects.create(name="Mill", slug="mill", owner=user)
    answer = ask(made(user, scope), method, path.format(project=project.pk), body)
    if needs in ("read", scope):
        assert answer.status_code < 300, answer.content
    else:
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
        assert needs in answer.json()["detail"]


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("author", 201), (None, 404)])
def test_it_never_does_more_than_its_user_may_now(user: User, role: str | None, status: int) -> None:
    project = Project.objects.create(name="Mill", slug="mill", owner=User.objects.create_user("bob"))
    membership = ProjectMembership.objects.create(project=project, user=user, role="author")
    token = made(user, "write", "run", "manage")
    if role is None:
        membership.delete()
    else:
        ProjectMembership.objects.update(role=role)
    assert ask(token, "post", f"projects/{project.pk}/stories/", {"title": "T"}).status_code == status


@pytest.mark.parametrize("operator", [False, True])
def test_one_for_a_project_sees_nothing_else(user: User, operator: bool) -> None:
    User.objects.update(is_superuser=operator)
    mill, other = (Project.objects.create(name=name, slug=name, owner=user) for name in ("mill", "other"))
    token = made(user, "write", "manage", project_id=mill.pk)
    assert [each["slug"] for each in ask(token, "get", "projects/").json()["results"]] == ["mill"]
    assert ask(token, "get", f"projects/{other.pk}/").status_code == 404
    assert ask(token, "patch", f"projects/{other.pk}/", {"name": "N"}).status_code == 404
    assert ask(token, "post", f"projects/{other.pk}/stories/", {"title": "T"}).status_code == 404
    assert ask(token, "post", f"projects/{mill.pk}/stories/", {"title": "T"}).status_code == 201
    # A new project would be one that it is not good for.
    assert ask(token, "post", "projects/", {"name": "N"}).status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("get", "auth/tokens/", None),
        ("post", "auth/tokens/", {"name": "more", "scopes": []}),
        ("get", "auth/tokens/{token}/", None),
        ("delete", "auth/tokens/{token}/", None),
        ("patch", "auth/me/", {"email": "eve@example.org"}),
        ("post", "auth/me/password/", {"old_password": "correct horse battery", "new_password": "another long one"}),
    ],
)
def test_a_token_can_neither_make_tokens_nor_change_the_account(user: User, method: str, path: str, body: Any) -> None:
    token = made(user, "write", "run", "manage")
    row = ServiceToken.objects.get()
    assert ask(token, method, path.format(token=row.pk), body).status_code == 403
    user.refresh_from_db()
    assert (ServiceToken.objects.count(), user.email) == (1, "")
    assert user.check_password("correct horse battery")


def test_somebody_elses_tokens_are_missing(user: User) -> None:
    made(user)
    other = jwt_service.generate_token(User.objects.create_user("bob"))
    assert ask(other, "get", "auth/tokens/").json()["count"] == 0
    for method in ("get", "delete"):
        for pk in (ServiceToken.objects.get().pk, uuid4()):
            assert ask(other, method, f"auth/tokens/{pk}/").status_code == 404
    assert ServiceToken.objects.count() == 1


def test_the_last_use_is_written_once_a_minute(user: User, django_assert_num_queries: Any) -> None:
    token = made(user)
    row = ServiceToken.objects.get()
    assert row.last_used_at is None
    ask(token, "get", "auth/me/")
    row.refresh_from_db()
    first = row.last_used_at
    assert first is not None
    with django_assert_num_queries(1):
        ask(token, "get", "auth/me/")
    ServiceToken.objects.update(last_used_at=first - timedelta(minutes=2))
    ask(token, "get", "auth/me/")
    row.refresh_from_db()
    assert row.last_used_at is not None
    assert row.last_used_at >= first


@pytest.mark.parametrize(
    ("changes", "error", "field"),
    [
        ({"name": ""}, InvalidInput, "name"),
        ({"name": "x" * 101}, InvalidInput, "name"),
        ({"name": "a\nb"}, InvalidInput, "name"),
        ({"scopes": ["all"]}, InvalidInput, "scopes"),
        ({"days": 0}, InvalidInput, "expires_in_days"),
        ({"days": 367}, InvalidInput, "expires_in_days"),
        ({"project_id": uuid4()}, NotFound, "project"),
        ({"name": "taken"}, Conflict, "name"),
    ],
    ids=str,
)
def test_what_cannot_be_is_named(user: User, changes: dict[str, Any], error: Any, field: str) -> None:
    made(user, name="taken")
    with pytest.raises(error) as refused:
        add_token(user=user, **{"name": "ci", "scopes": ["read"], **changes})
    assert refused.value.place["field"] == field
    assert ServiceToken.objects.count() == 1


def test_a_strangers_project_in_the_body_is_missing(user: User) -> None:
    theirs = Project.objects.create(name="T", slug="t", owner=User.objects.create_user("bob"))
    mine = jwt_service.generate_token(user)
    answers = [
        ask(mine, "post", "auth/tokens/", {"name": "n", "scopes": [], "project": str(each)})
        for each in (theirs.pk, uuid4())
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert ServiceToken.objects.count() == 0


def test_an_inactive_user_gets_none(user: User) -> None:
    user.is_active = False
    with pytest.raises(PermissionRefused):
        made(user)
