"""The pages of projects: who sees and changes what, the list, and that texts of others stay texts."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from django.test import Client
from rest_framework.test import APIClient

from backend.apps.authentication.models import User
from backend.apps.exports.models import RepositoryExport
from backend.apps.projects.models import GeneratedProject, Project, ProjectLabel, ProjectMembership
from backend.apps.projects.services import workspace_files
from tests.browser.project_world import _hostile
from tests.unit.console.conftest import browser
from tests.unit.console.projects.conftest import EVIL, LIST, at, draft, generated, looked_at
from tests.unit.console.test_runs import _naughty, _queries

pytestmark = pytest.mark.django_db


PAGES = (
    "",
    "draft/",
    "draft/file/?path=notes.txt",
    "draft/raw/?path=notes.txt",
    "draft/changes/",
    "generations/",
    "generations/GEN/",
    "generations/GEN/?against=OTHER",
    "generations/GEN/patch/",
    "generations/GEN/files/",
    "generations/GEN/files/?below=src",
    "generations/GEN/file/?path=src/main.py",
    "generations/GEN/raw/?path=src/main.py",
    "archives/",
    "exports/",
    "members/",
)
HOSTS = ("github", "gitlab", "git")
FORMS = ("draft/edit/", "draft/edit/?path=notes.txt", "exports/new/", *(f"exports/new/?to={to}" for to in HOSTS))


@pytest.mark.parametrize("page", [*PAGES, *FORMS, "labels/"])
def test_who_sees_a_project(
    ada: User, operator: User, stranger: User, member: Any, shop: Project, first: GeneratedProject, page: str
) -> None:
    second = generated(shop, src__main_py=f"print('{EVIL}')\n")
    draft(shop, "notes.txt", EVIL)
    address = at(shop, page.replace("GEN", str(second.pk)).replace("OTHER", str(first.pk)))
    assert Client().get(address).status_code == 302
    for user in (ada, operator):
        answer = looked_at(browser(user), address)
        assert answer.status_code == 200
        if answer["Content-Type"].startswith("text/html"):
            assert "<script>alert" not in answer.text
            assert not re.search(r"<script(?![^>]* src=)|\sstyle=|\son\w+=", answer.text)
            assert "script-src 'self'" in answer["Content-Security-Policy"]
    other = looked_at(browser(stranger), address)
    assert other.status_code == 404
    assert "Shop" not in other.text.split("<main")[1]
    assert "Shop" not in browser(stranger).get(LIST).text.split("<main")[1]
    client = member("viewer")
    changes = page in FORMS
    assert looked_at(client, address).status_code == (403 if changes else 200)
    if not changes and "raw" not in page and "patch" not in page and page != "labels/":
        shown = client.get(address).text.split("<main")[1]
        assert '<form class="inline" method="post"' not in shown
        assert "/edit/" not in shown
        assert "exports/new" not in shown


CHANGES: tuple[tuple[str, dict[str, str], str], ...] = (
    ("draft/edit/", {"path": "new.txt", "content": "x"}, "author"),
    ("draft/remove/", {"path": "notes.txt", "digest": "DIGEST"}, "author"),
    ("draft/begin/", {}, "author"),
    ("draft/keep/", {}, "author"),
    ("labels/", {"labels": "nightly"}, "author"),
    ("archives/", {"generation": "GEN", "format": "zip"}, "author"),
    ("exports/new/?to=archive", {"generation": "GEN", "format": "zip"}, "author"),
    ("members/", {"username": "operator", "role": "viewer"}, "maintainer"),
    ("members/GRACE/role/", {"role": "viewer"}, "maintainer"),
    ("members/GRACE/remove/", {}, "maintainer"),
)


@pytest.mark.parametrize(("page", "sent", "role"), CHANGES)
def test_who_may_change_it(
    operator: User, stranger: User, member: Any, shop: Project, first: GeneratedProject, page: str, sent: Any, role: str
) -> None:
    digest = draft(shop, "notes.txt", "mine")
    grace = User.objects.create_user("grace")
    ProjectMembership.objects.create(project=shop, user=grace, role="author")
    words = {"GEN": str(first.pk), "DIGEST": digest}
    data = {name: words.get(value, value) for name, value in sent.items()}
    address = at(shop, page.replace("GRACE", str(grace.pk)))

    def state() -> Any:
        return (
            sorted(ProjectMembership.objects.exclude(user=stranger).values_list("user", "role")),
            list(ProjectLabel.objects.values_list("name")),
            RepositoryExport.objects.count(),
            GeneratedProject.objects.count(),
            [(entry.path, entry.size) for entry in workspace_files.list_files(shop)],
        )

    before = state()
    assert Client().post(address, data).status_code == 302
    assert Client(enforce_csrf_checks=True).post(address, data).status_code == 403
    browser(stranger).post(address, data)
    below = {"author": "viewer", "maintainer": "author"}[role]
    refused = member(below).post(address, data, follow=True)
    assert "does not include the right" in refused.text
    assert state() == before
    done = member(role).post(address, data)
    assert done.status_code == 302
    assert state() != before


def test_a_list_is_narrowed_and_costs_the_same_for_many(ada: User, operator: User, shop: Project) -> None:
    client = browser(operator)
    ProjectLabel.objects.create(project=shop, name="nightly")
    few = _queries(client, LIST)
    for number in range(30):
        owner = User.objects.create_user(f"owner-{number}")
        other = Project.objects.create(name=f"More {number:02}", slug=f"more-{number}", owner=owner)
        ProjectLabel.objects.create(project=other, name=f"word-{number}")
        generated(other, a_txt="a") if number < 2 else None
    assert _queries(client, LIST) == few

    def names(**query: Any) -> list[str]:
        return re.findall(r"<bdi>(.*?)</bdi>", client.get(LIST, query).text)

    assert len(names()) == 25
    assert names(page=2) == [f"More {number:02}" for number in range(25, 30)] + ["Shop"]
    assert names(search="sho") == names(owner=ada.pk) == names(label="nightly") == ["Shop"]
    assert names(search="more-1", label="nightly") == []
    assert len(names(owner="nonsense")) == 25
    assert "owner:" in client.get(LIST, {"owner": "nonsense"}).text
    assert "No project is like that" in client.get(LIST, {"search": "zzz"}).text
    assert client.get(LIST, {"search": "a\0b"}).status_code == 200
    assert "?search=more&amp;page=2" in client.get(LIST, {"search": "more"}).text


def test_the_api_narrows_as_the_page_does(ada: User, shop: Project) -> None:
    Project.objects.create(name="Other", slug="other", owner=ada)
    ProjectLabel.objects.create(project=shop, name="nightly")
    client = browser(ada)
    api = APIClient()
    api.force_authenticate(ada)
    assert [each["slug"] for each in api.get("/api/v1/projects/?label=nightly").json()["results"]] == ["shop"]
    assert api.get(f"/api/v1/projects/?owner={uuid4()}").json()["results"] == []
    assert len(api.get(f"/api/v1/projects/?owner={ada.pk}").json()["results"]) == 2
    assert "Other" not in client.get(LIST, {"label": "nightly"}).text


def test_a_project_is_made_and_labelled(ada: User) -> None:
    client = browser(ada)
    address = f"{LIST}-/new/"
    for sent, at_field in (({}, "id_name"), ({"name": "x", "slug": "a b"}, "id_slug")):
        answer = client.post(address, sent)
        assert answer.status_code == 422
        assert re.search(f'id="{at_field}"[^>]*>|aria-invalid="true"[^>]*id="{at_field}"', answer.text)
    made = client.post(address, {"name": EVIL, "description": "It sells."})
    project = Project.objects.get(name=EVIL)
    assert made["Location"] == at(project)
    assert project.owner == ada
    taken = client.post(address, {"name": "Another", "slug": project.slug})
    assert taken.status_code == 422
    assert 'id="id_slug"' in taken.text
    assert "<script>alert" not in client.get(at(project)).text
    wrong = client.post(at(project, "labels/"), {"labels": "fine Not!fine"})
    assert wrong.status_code == 422
    assert "is no label" in wrong.text
    assert not project.labels.exists()
    client.post(at(project, "labels/"), {"labels": "nightly  customer-acme"})
    client.post(at(project, "labels/"), {"labels": "nightly weekly"})
    assert [label.name for label in project.labels.all()] == ["nightly", "weekly"]


def test_words_of_others_stay_words(ada: User) -> None:
    words = _naughty()
    made = _hostile(ada, words)
    project = Project.objects.get(pk=made["hostile"])
    client = browser(ada)
    generation = f"generations/{made['hostile_generation']}/"
    lists = ("", "draft/", "draft/changes/", "generations/", generation, "exports/", "archives/", "members/", "labels/")
    addresses = [at(project, page) for page in lists]
    for page in ("draft/file/", "draft/edit/", f"{generation}file/"):
        addresses.append(at(project, f"{page}?path={quote(made['hostile_path'])}"))
    for address in (LIST, *addresses):
        answer = client.get(address)
        assert answer.status_code == 200, address
        body = answer.text.split("</head>")[1]
        for word in words:
            if len(word) > 3:
                assert word not in body, address
