"""Members of a project: who adds, changes and removes them, and who hands the project over."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from backend.apps.authentication.models import User
from backend.apps.projects.models import Project, ProjectMembership

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> dict[str, User]:
    names = ("owner", "maintainer", "author", "viewer", "stranger", "gone", "root")
    return {
        name: User.objects.create_user(name, is_active=name != "gone", is_superuser=name == "root") for name in names
    }


@pytest.fixture
def project(people: dict[str, User]) -> Project:
    project = Project.objects.create(name="Mill", slug="mill", owner=people["owner"])
    for role in ProjectMembership.Role.values:
        ProjectMembership.objects.create(project=project, user=people[role], role=role)
    return project


def act(user: User, method: str, path: str, body: Any = None) -> Any:
    client = APIClient()
    client.force_authenticate(User.objects.get(pk=user.pk))
    return getattr(client, method)(f"/api/v1/projects/{path}", body)


def roles(project: Project) -> dict[str, str]:
    return dict(ProjectMembership.objects.filter(project=project).values_list("user__username", "role"))


BEFORE = {"viewer": "viewer", "author": "author", "maintainer": "maintainer"}


def test_every_member_sees_the_owner_and_the_members(people: dict[str, User], project: Project) -> None:
    for name in ("viewer", "author", "maintainer", "owner", "root"):
        answer = act(people[name], "get", f"{project.pk}/members/")
        assert [(each["username"], each["role"]) for each in answer.json()["results"]] == [
            ("author", "author"),
            ("maintainer", "maintainer"),
            ("owner", "owner"),
            ("viewer", "viewer"),
        ]
    assert act(people["stranger"], "get", f"{project.pk}/members/").status_code == 404
    for role in ("owner", "viewer"):
        found = act(people["viewer"], "get", f"{project.pk}/members/?role={role}").json()
        assert (found["count"], found["results"][0]["username"]) == (1, role)
    assert act(people["viewer"], "get", f"{project.pk}/members/?role=king").status_code == 400
    one = act(people["viewer"], "get", f"{project.pk}/members/{people['owner'].pk}/").json()
    assert one == {"user": str(people["owner"].pk), "username": "owner", "role": "owner"}
    assert act(people["viewer"], "get", f"{project.pk}/members/{people['stranger'].pk}/").status_code == 404


@pytest.mark.parametrize(
    ("name", "status"),
    [("viewer", 403), ("author", 403), ("maintainer", 201), ("owner", 201), ("root", 201), ("stranger", 404)],
)
def test_maintainers_and_above_manage_members(
    people: dict[str, User], project: Project, name: str, status: int
) -> None:
    new = User.objects.create_user("new")
    added = act(people[name], "post", f"{project.pk}/members/", {"username": "new", "role": "viewer"})
    assert added.status_code == status, added.content
    if status != 201:
        assert roles(project) == BEFORE
        ProjectMembership.objects.create(project=project, user=new, role="viewer")
    else:
        assert added["Location"] == f"/api/v1/projects/{project.pk}/members/{new.pk}/"
    done = status == 201
    place = f"{project.pk}/members/{new.pk}/"
    assert act(people[name], "patch", place, {"role": "author"}).status_code == (200 if done else status)
    assert roles(project)["new"] == ("author" if done else "viewer")
    assert act(people[name], "delete", place).status_code == (204 if done else status)
    assert ("new" in roles(project)) is not done


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 400, "username"),
        ({"username": "stranger", "user": str(uuid4())}, 400, "username"),
        ({"username": "nobody"}, 404, "username"),
        ({"username": "gone"}, 404, "username"),
        ({"username": "a\tb"}, 404, "username"),
        ({"user": str(uuid4())}, 404, "user"),
        ({"user": "x"}, 400, "user"),
        ({"username": "stranger", "role": "owner"}, 400, "role"),
        ({"username": "stranger", "role": "operator"}, 400, "role"),
        ({"username": "stranger", "rolle": "author"}, 400, "rolle"),
        ({"username": "owner"}, 409, "username"),
        ({"username": "author"}, 409, "username"),
    ],
    ids=str,
)
def test_who_cannot_be_added_is_named(
    people: dict[str, User], project: Project, body: Any, status: int, field: str
) -> None:
    answer = act(people["owner"], "post", f"{project.pk}/members/", body)
    assert answer.status_code == status, answer.content
    assert [each["field"] for each in answer.json()["errors"]] == [field]
    assert roles(project) == BEFORE


def test_the_owner_can_be_neither_changed_nor_removed(people: dict[str, User], project: Project) -> None:
    place = f"{project.pk}/members/{people['owner'].pk}/"
    for name in ("maintainer", "owner"):
        assert act(people[name], "patch", place, {"role": "viewer"}).status_code == 409
        assert act(people[name], "delete", place).status_code == 409
    assert act(people["viewer"], "delete", place).status_code == 403


def test_a_member_may_leave(people: dict[str, User], project: Project) -> None:
    assert act(people["viewer"], "delete", f"{project.pk}/members/{people['author'].pk}/").status_code == 403
    assert act(people["viewer"], "delete", f"{project.pk}/members/{people['viewer'].pk}/").status_code == 204
    assert act(people["viewer"], "get", f"{project.pk}/").status_code == 404


@pytest.mark.parametrize(
    ("name", "status"),
    [("viewer", 403), ("author", 403), ("maintainer", 403), ("owner", 200), ("root", 200), ("stranger", 404)],
)
def test_the_owner_hands_the_project_over(people: dict[str, User], project: Project, name: str, status: int) -> None:
    answer = act(people[name], "post", f"{project.pk}/transfer/", {"username": "author"})
    assert answer.status_code == status, answer.content
    project.refresh_from_db()
    if status == 200:
        assert answer.json()["owner"] == str(people["author"].pk)
        assert project.owner == people["author"]
        assert roles(project) == {"viewer": "viewer", "maintainer": "maintainer", "owner": "maintainer"}
    else:
        assert (project.owner, roles(project)) == (people["owner"], BEFORE)


@pytest.mark.parametrize(
    ("body", "status"),
    [({"username": "stranger"}, 404), ({"username": "owner"}, 409), ({"username": "gone"}, 404), ({}, 400)],
)
def test_only_a_member_becomes_the_owner(people: dict[str, User], project: Project, body: Any, status: int) -> None:
    assert act(people["owner"], "post", f"{project.pk}/transfer/", body).status_code == status
    project.refresh_from_db()
    assert (project.owner, roles(project)) == (people["owner"], BEFORE)
