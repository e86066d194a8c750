"""Projects, stories and sprints over REST."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.urls import URLPattern, get_resolver
from rest_framework.test import APIClient

from backend.apps.authentication.models import User
from backend.apps.projects.models import Organisation, Project, ProjectMembership, Sprint, Story
from backend.apps.projects.urls import urlpatterns

pytestmark = pytest.mark.django_db
V1 = "/api/v1"


def client_of(user: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


@pytest.fixture
def owner() -> User:
    return User.objects.create_user("ada")


@pytest.fixture
def client(owner: User) -> APIClient:
    return client_of(owner)


@pytest.fixture
def project(owner: User) -> Project:
    return Project.objects.create(name="Mill", slug="mill", owner=owner)


@pytest.fixture
def sprint(project: Project, owner: User) -> Sprint:
    return Sprint.objects.create(
        project=project, name="S", start_date="2026-01-01", end_date="2026-01-14", created_by=owner
    )


@pytest.fixture
def story(project: Project, owner: User, sprint: Sprint) -> Story:
    return Story.objects.create(project=project, title="T", created_by=owner, sprint=sprint)


def test_a_projects_life(client: APIClient, owner: User) -> None:
    answer = client.post(f"{V1}/projects/", {"name": "My Mill", "description": "D"})
    assert answer.status_code == 201
    made = answer.json()
    assert (made["name"], made["slug"], made["description"], made["owner"]) == (
        "My Mill",
        "my-mill",
        "D",
        str(owner.pk),
    )
    assert answer["Location"] == f"{V1}/projects/{made['id']}/"
    assert client.get(answer["Location"]).json() == made
    changed = client.patch(answer["Location"], {"name": "Other"}).json()
    assert (changed["name"], changed["slug"]) == ("Other", "my-mill")
    replaced = client.put(answer["Location"], {**changed, "description": "E"})
    assert replaced.json()["description"] == "E"
    assert client.put(answer["Location"], {"description": "F"}).status_code == 400
    assert [each["id"] for each in client.get(f"{V1}/projects/").json()["results"]] == [made["id"]]
    assert client.delete(answer["Location"]).status_code == 204
    assert client.get(answer["Location"]).status_code == 404


def test_a_storys_life(client: APIClient, owner: User, project: Project, sprint: Sprint) -> None:
    body = {"project": str(project.pk), "title": "T", "description": "D", "sprint": str(sprint.pk), "story_points": 5}
    answer = client.post(f"{V1}/projects/{project.pk}/stories/", body)
    assert answer.status_code == 201
    made = answer.json()
    assert made | body == made
    assert (made["status"], made["created_by"]) == ("backlog", str(owner.pk))
    assert answer["Location"] == f"{V1}/stories/{made['id']}/"
    changed = client.patch(answer["Location"], {"status": "in_progress", "sprint": None}).json()
    assert (changed["status"], changed["sprint"], changed["title"]) == ("in_progress", None, "T")
    assert client.get(answer["Location"]).json() == changed
    deleted = client.delete(answer["Location"])
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert client.get(answer["Location"]).status_code == 404


def test_a_sprints_life(client: APIClient, project: Project) -> None:
    body = {"name": "S", "start_date": "2026-01-01", "end_date": "2026-01-14", "goal": "G"}
    answer = client.post(f"{V1}/projects/{project.pk}/sprints/", body)
    assert answer.status_code == 201
    made = answer.json()
    assert made | body | {"project": str(project.pk), "status": "planned"} == made
    assert client.patch(answer["Location"], {"status": "active"}).json()["status"] == "active"
    assert client.get(f"{V1}/projects/{project.pk}/sprints/").json()["count"] == 1
    assert client.get(answer["Location"]).json()["name"] == "S"
    assert client.delete(answer["Location"]).status_code == 204


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "title"),
        ({"title": ""}, "title"),
        ({"title": "x" * 301}, "title"),
        ({"title": "T", "status": "lost"}, "status"),
        ({"title": "T", "story_points": 32768}, "story_points"),
        ({"title": "T", "story_points": -1}, "story_points"),
        ({"title": "T", "sprint": "not an id"}, "sprint"),
        ({"title": "T", "project": "5d1c2a70-0000-4000-8000-000000000000"}, "project"),
        ({"title": "T", "project": None}, "project"),
        ({"title": "T", "titel": "T"}, "titel"),
        ({"title": "T", "is_staff": True}, "is_staff"),
        ([], ""),
        ("text", ""),
    ],
    ids=lambda each: str(each)[:40],
)
def test_what_is_wrong_is_named(client: APIClient, project: Project, body: Any, field: str) -> None:
    answer = client.post(f"{V1}/projects/{project.pk}/stories/", body)
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert [each["field"] for each in answer.json()["errors"]] == [field]
    assert Story.objects.count() == 0


@pytest.mark.parametrize("body", [b'{"title": "a\\u0000b"}', b'{"title": "\\ud800"}', b'{"title": ', b"\xff"])
def test_bodies_that_cannot_be_stored_are_a_400(client: APIClient, project: Project, body: bytes) -> None:
    answer = client.post(f"{V1}/projects/{project.pk}/stories/", body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "parse_error")


def test_what_we_make_cannot_be_given(client: APIClient, project: Project, owner: User) -> None:
    other = User.objects.create_user("bob")
    made = client.post(f"{V1}/projects/", {"name": "M", "owner": str(other.pk), "id": str(project.pk)}).json()
    assert made["owner"] == str(owner.pk)
    assert made["id"] != str(project.pk)


def test_dates_must_follow_each_other(client: APIClient, sprint: Sprint) -> None:
    answer = client.patch(f"{V1}/sprints/{sprint.pk}/", {"end_date": "2025-01-01"})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "end_date"


def test_a_taken_slug_is_a_400(client: APIClient, project: Project) -> None:
    answer = client.post(f"{V1}/projects/", {"name": "M", "slug": "mill"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "slug")


def test_the_project_of_a_story_stays(client: APIClient, story: Story, owner: User) -> None:
    other = Project.objects.create(name="Other", slug="other", owner=owner)
    assert client.patch(f"{V1}/stories/{story.pk}/", {"project": str(other.pk)}).status_code == 400
    assert client.patch(f"{V1}/stories/{story.pk}/", {"project": str(story.project_id)}).status_code == 200


def test_a_foreign_sprint_is_missing(client: APIClient, story: Story) -> None:
    bob = User.objects.create_user("bob")
    theirs = Project.objects.create(name="Theirs", slug="theirs", owner=bob)
    foreign = Sprint.objects.create(
        project=theirs, name="S", start_date="2026-01-01", end_date="2026-01-02", created_by=bob
    )
    answers = [client.patch(f"{V1}/stories/{story.pk}/", {"sprint": str(each)}) for each in (foreign.pk, uuid4())]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert [answer.json()["errors"][0]["field"] for answer in answers] == ["sprint", "sprint"]


def test_lists_are_narrowed(client: APIClient, story: Story, owner: User) -> None:
    Story.objects.create(project=story.project, title="U", status="done", created_by=owner)
    stories = f"{V1}/projects/{story.project_id}/stories/"

    def titles(query: str) -> list[str]:
        return [each["title"] for each in client.get(stories + query).json()["results"]]

    assert titles("") == ["U", "T"]
    assert titles("?status=done") == ["U"]
    assert titles(f"?sprint={story.sprint_id}") == ["T"]
    assert titles("?ordering=created_by__password&title__startswith=U&_connector=OR") == ["U", "T"]
    for query in ("?status=lost", "?sprint=x", "?status=%00"):
        assert client.get(stories + query).status_code == 400
    assert client.get(f"{V1}/projects/{story.project_id}/sprints/?status=active").json()["count"] == 0


def test_projects_are_found_and_ordered(client: APIClient, owner: User) -> None:
    acme = Organisation.objects.create(name="Acme", slug="acme")
    for name in ("Mill", "Weir", "Sluice"):
        Project.objects.create(name=name, slug=f"{name.lower()}-x", owner=owner)
    Project.objects.filter(name="Weir").update(organisation=acme)

    def names(query: str) -> list[str]:
        return [each["name"] for each in client.get(f"{V1}/projects/{query}").json()["results"]]

    assert names("") == ["Mill", "Sluice", "Weir"]
    assert names("?ordering=-name") == ["Weir", "Sluice", "Mill"]
    assert names("?ordering=-created_at") == ["Sluice", "Weir", "Mill"]
    assert names("?search=SLU") == ["Sluice"]
    assert names("?search=-x&ordering=-name&page_size=1") == ["Weir"]
    assert names(f"?organisation={acme.pk}") == ["Weir"]
    for query in ("?ordering=owner__password", "?organisation=x", "?search=%00"):
        assert client.get(f"{V1}/projects/{query}").status_code == 400


def test_reading_a_list_takes_few_queries(
    client: APIClient, story: Story, owner: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        Story.objects.create(project=story.project, title=f"{number}", created_by=owner)
    with django_assert_max_num_queries(4):
        assert len(client.get(f"{V1}/projects/{story.project_id}/stories/").json()["results"]) == 21


def every_call(story: Story) -> list[tuple[str, str, Any]]:
    """Return a call of every method of every route, made from the routes so that a new one cannot be forgotten."""
    ids = {"project_id": story.project_id, "story_id": story.pk, "sprint_id": story.sprint_id}
    bodies = {
        "project": {"name": "N"},
        "stories": {"title": "N"},
        "sprints": {"name": "N", "start_date": "2026-01-01", "end_date": "2026-01-02"},
    }
    found = []
    for pattern in urlpatterns:
        assert isinstance(pattern, URLPattern)
        if pattern.name not in ("project", "stories", "story", "sprints", "sprint"):
            continue
        path = str(pattern.pattern)
        for name, value in ids.items():
            path = path.replace(f"<uuid:{name}>", str(value))
        for method in set(pattern.callback.actions) - {"head"}:  # type: ignore[attr-defined]
            body = bodies.get(str(pattern.name)) if method == "put" or method == "post" else {}
            found.append((method, f"{V1}/{path}", body))
    return found


def test_a_strangers_things_are_missing_and_nobody_reads_without_a_token(story: Story) -> None:
    stranger = client_of(User.objects.create_user("stranger"))
    calls = every_call(story)
    assert len(calls) >= 13
    for method, path, body in calls:
        answer = getattr(stranger, method)(path, body)
        assert answer.status_code == 404, (method, path, answer.content)
        missing = getattr(stranger, method)(path.replace(path.split("/")[4], str(uuid4())), body)
        assert missing.json()["code"] == answer.json()["code"] == "not_found"
        assert getattr(APIClient(), method)(path, body).status_code == 401
    assert stranger.get(f"{V1}/projects/").json()["count"] == 0
    assert (Story.objects.count(), Sprint.objects.count(), Project.objects.get().name) == (1, 1, "Mill")


def test_a_viewer_reads_and_does_not_write(story: Story) -> None:
    viewer = User.objects.create_user("viewer")
    ProjectMembership.objects.create(project=story.project, user=viewer, role="viewer")
    for method, path, body in every_call(story):
        answer = getattr(client_of(viewer), method)(path, body)
        assert answer.status_code == (200 if method == "get" else 403), (method, path, answer.content)
    assert client_of(viewer).get(f"{V1}/projects/").json()["count"] == 1


def test_paths_with_other_ids_are_missing(client: APIClient) -> None:
    for path in ("projects/x/", "projects/1/stories/", "stories/x/", "sprints/%00/"):
        answer = client.get(f"{V1}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_the_admin_shows_and_guards(owner: User, story: Story) -> None:
    from django.test import Client

    User.objects.filter(pk=owner.pk).update(is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(User.objects.get(pk=owner.pk))
    models = ["project", "story", "sprint", "generatedproject", "projectfile", "archive"]
    for name in models:
        assert client.get(f"/admin/projects/{name}/").status_code == 200
    assert client.get(f"/admin/projects/project/{story.project_id}/change/").status_code == 200
    assert client.get("/admin/projects/story/add/").status_code == 200
    assert client.get("/admin/authentication/user/").status_code == 200
    for name in models[3:]:
        assert client.get(f"/admin/projects/{name}/add/").status_code == 403
    assert get_resolver().resolve(f"/admin/projects/story/{story.pk}/change/")
