"""Archives and exports of a project on its pages: what there is, and what can be asked for."""

from __future__ import annotations

import hashlib
import re
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from backend.apps.authentication.models import User
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.keeping import add_credential
from backend.apps.exports.models import RepositoryExport
from backend.apps.exports.services.deliver import deliver_archive
from backend.apps.projects.models import Archive, GeneratedProject, Project, ProjectMembership
from backend.apps.projects.services.packaging import package
from backend.apps.workflows.models import TaskExecution, WorkflowExecution
from backend.console import delivery_forms
from tests.unit.console.conftest import browser
from tests.unit.console.projects.conftest import EVIL, at, generated, looked_at
from tests.unit.console.test_runs import _queries

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("page", ["generations/", "archives/", "exports/", "members/", "exports/new/?to=github"])
def test_a_list_of_a_project_costs_the_same_whatever_it_holds(
    ada: User, shop: Project, first: GeneratedProject, page: str
) -> None:
    client = browser(ada)
    counts = []
    for part in range(2):
        for number in range(1 + 5 * part):
            person = User.objects.create_user(f"person-{part}-{number}")
            ProjectMembership.objects.create(project=shop, user=person, role="author")
            made = generated(shop, README_md=f"{part} {number}\n")
            archive = f"{part}/{number}"
            deliver_archive(
                key=archive, project=shop, user=ada, execution_id=None, format="zip", generation_id=str(made.pk)
            )
            add_credential(user=ada, name=f"bot-{part}-{number}", host="github", secret=Secret("ghp_" + "x" * 36))
        counts.append(_queries(client, at(shop, page)))
    assert counts[0] == counts[1]


def test_archives_have_digests_and_downloads(ada: User, shop: Project, first: GeneratedProject) -> None:
    client = browser(ada)
    address = at(shop, "archives/")
    assert "No archives yet" in client.get(address).text
    for wrong in (
        {"format": "zip"},
        {"generation": str(first.pk), "format": "rar"},
        {"generation": str(uuid4()), "format": "zip"},
    ):
        answer = client.post(address, wrong)
        assert answer.status_code == 422
        assert 'aria-invalid="true"' in answer.text
    assert client.post(address, {"generation": str(first.pk), "format": "tar"}).status_code == 302
    asked = RepositoryExport.objects.get()
    assert (asked.export_type, asked.status) == ("tar", "pending")
    assert TaskExecution.objects.get(key=asked.key).method == "export.export_as_tar"
    assert "Pending" in client.get(address).text
    package(project=shop, user=ada, execution_id=None, format="zip")
    alone = Archive.objects.get()
    page = client.get(address).text
    assert alone.digest in page
    assert f"/console/archives/{alone.pk}/download/" in page
    deliver_archive(key="test/zip", project=shop, user=ada, execution_id=None, format="zip")
    export = RepositoryExport.objects.get(key="test/zip")
    assert f"/console/exports/{export.pk}/download/" in client.get(address).text
    assert looked_at(client, f"/console/exports/{export.pk}/download/").status_code == 200


def test_the_archive_that_a_run_made_on_the_way_is_on_its_page(
    ada: User, stranger: User, shop: Project, first: GeneratedProject, completed: WorkflowExecution
) -> None:
    GeneratedProject.objects.filter(pk=first.pk).update(workflow_execution=completed)
    run, client = f"/console/runs/{completed.pk}/", browser(ada)
    assert "Download" not in client.get(run).text
    package(project=shop, user=ada, execution_id=completed.pk, format="tar.gz")
    archive = Archive.objects.get()
    address = f"/console/archives/{archive.pk}/download/"
    assert client.get(run).text.count(address) == 1
    answer = client.get(address)
    assert hashlib.sha256(answer.getvalue()).hexdigest() == archive.digest
    assert f'filename="shop-{archive.commit[:12]}.tar.gz"' in answer.headers["Content-Disposition"]
    for somebody in (browser(stranger), Client()):
        assert somebody.get(address).status_code == (404 if "sessionid" in somebody.cookies else 302)
    assert client.get(f"/console/archives/{uuid4()}/download/").status_code == 404
    # What was asked for as an archive is there once, as a delivery, and a repository's commit leads to its files.
    deliver_archive(key="test/run", project=shop, user=ada, execution_id=completed.pk, format="tar.gz")
    made = RepositoryExport.objects.get()
    page = client.get(run).text
    assert address not in page
    assert page.count(f"/console/exports/{made.pk}/download/") == 1
    RepositoryExport.objects.filter(pk=made.pk).update(export_type="git", repository_name="shop")
    assert f'href="/console/projects/{shop.pk}/generations/{first.pk}/" title="{made.commit}"' in client.get(run).text


def test_a_link_to_an_archive(ada: User, stranger: User, shop: Project, first: GeneratedProject) -> None:
    deliver_archive(key="test/zip", project=shop, user=ada, execution_id=None, format="zip")
    address = f"/console/exports/{RepositoryExport.objects.get().pk}/link/"
    assert browser(stranger).get(address).status_code == 404
    assert browser(stranger).post(address, {"seconds": 900}).status_code == 404
    assert browser(ada).post(address, {"seconds": 10**9}).status_code == 422
    page = browser(ada).post(address, {"seconds": 900}).text
    link = unescape(re.search(r"<textarea[^>]*>(.*?)</textarea>", page)[1])  # type: ignore[index]
    assert link.startswith("http://testserver/api/")
    assert looked_at(Client(), link.removeprefix("http://testserver")).status_code == 200


WRONG: tuple[tuple[str, dict[str, str], str, str], ...] = (
    ("github", {}, "repository_name", "required"),
    ("github", {"repository_name": "shop"}, "credential", "Give a credential or a github_token"),
    ("github", {"repository_name": "shop", "credential": "nobodys"}, "credential", "Select a valid choice"),
    ("github", {"repository_name": "a b", "credential": "acme-bot"}, "repository_name", "cannot be the name"),
    ("github", {"repository_name": "x", "credential": "acme-bot", "branch": "a..b"}, "branch", ""),
    ("github", {"repository_name": "x", "credential": "acme-bot", "github_token": "t" * 20}, "credential", "either"),
    ("github", {"repository_name": "x", "credential": "acme-bot", "topics": "Not_A_Topic!"}, "topics", "topic"),
    ("github", {"repository_name": "x", "credential": "acme-bot", "organization": "-x-"}, "organization", "owner"),
    ("gitlab", {"repository_name": "shop", "credential": "acme-bot"}, "credential", "Select a valid choice"),
    ("gitlab", {"repository_name": "?", "gitlab_token": "t" * 20}, "repository_name", "cannot be the name"),
    ("gitlab", {"repository_name": "x", "gitlab_token": "t" * 20, "visibility": "odd"}, "visibility", "valid choice"),
    ("git", {}, "repository_name", "either"),
    ("git", {"url": "file:///etc"}, "url", ""),
    ("git", {"repository_name": "shop", "credential": "acme-bot"}, "credential", "without a credential"),
    ("archive", {"format": "rar"}, "format", "valid choice"),
)


@pytest.mark.parametrize(("to", "sent", "field", "words"), WRONG)
def test_what_is_wrong_with_an_export_is_at_its_field(
    ada: User, shop: Project, first: GeneratedProject, to: str, sent: dict[str, str], field: str, words: str
) -> None:
    add_credential(user=ada, name="acme-bot", host="github", secret=Secret("ghp_" + "x" * 36))
    data = {"generation": str(first.pk), "visibility": "private", "branch": "main", **sent}
    answer = browser(ada).post(at(shop, f"exports/new/?to={to}"), data)
    assert answer.status_code == 422
    part = answer.text.split(f'<label for="id_{field}">')[1].split('<div class="field">')[0]
    assert '<p class="error"' in part
    assert words in unescape(part)
    assert "t" * 20 not in answer.text
    assert not RepositoryExport.objects.exists()


RIGHT: tuple[tuple[str, dict[str, str], str, dict[str, Any]], ...] = (
    (
        "github",
        {
            "repository_name": "shop",
            "credential": "acme-bot",
            "private": "on",
            "organization": "acme",
            "topics": "a, b-c",
        },
        "export.export_to_github",
        {"credential": "acme-bot", "private": True, "organization": "acme", "topics": ["a", "b-c"], "branch": "main"},
    ),
    (
        "github",
        {"repository_name": "shop", "credential": "acme-bot"},
        "export.export_to_github",
        {"credential": "acme-bot", "private": False, "branch": "main"},
    ),
    (
        "gitlab",
        {"repository_name": "shop", "gitlab_token": "t" * 20, "visibility": "internal"},
        "export.export_to_gitlab",
        {"visibility": "internal", "branch": "main"},
    ),
    ("git", {"repository_name": "shop"}, "export.export_to_git", {"branch": "main"}),
    ("archive", {"format": "tar.gz"}, "export.export_as_tar", {}),
)


@pytest.mark.parametrize(("to", "sent", "method", "asked"), RIGHT)
def test_an_export_is_asked_for(
    ada: User, shop: Project, first: GeneratedProject, to: str, sent: dict[str, str], method: str, asked: dict[str, Any]
) -> None:
    add_credential(user=ada, name="acme-bot", host="github", secret=Secret("ghp_" + "x" * 36))
    client = browser(ada)
    data = {"generation": str(first.pk), "visibility": "private", "branch": "main", **sent}
    done = client.post(at(shop, f"exports/new/?to={to}"), data, follow=True)
    export = RepositoryExport.objects.get()
    assert export.config["asked"] == asked
    assert export.created_by == ada
    assert TaskExecution.objects.get(key=export.key).method == method
    assert "t" * 20 not in str(TaskExecution.objects.values_list("arguments")[0])
    assert "Pending" in done.text
    assert "The export is on its way" in done.text


def test_an_older_generation_is_exported_and_not_the_newest(
    ada: User, shop: Project, first: GeneratedProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_forms, "MOST_GENERATIONS", 1)
    newest = generated(shop, README_md="newer\n")
    client = browser(ada)
    for to, sent in (("archive", {"format": "zip"}), ("git", {"repository_name": "shop"})):
        address = at(shop, f"exports/new/?to={to}")
        page = client.get(f"{address}&generation={first.pk}").text
        assert re.findall(r'<option value="([^"]*)" selected', page)[0] == str(first.pk)
        assert str(newest.pk) in page
        assert client.post(address, {"generation": str(first.pk), **sent}).status_code == 302
    assert {each.generated_project for each in RepositoryExport.objects.all()} == {first}


def test_what_cannot_be_exported_is_not_replaced_by_what_can(ada: User, shop: Project, first: GeneratedProject) -> None:
    GeneratedProject.objects.filter(pk=generated(shop, README_md="newer\n").pk).update(status="generating")
    going_on = GeneratedProject.objects.get(status="generating")
    for asked in (str(going_on.pk), "x"):
        page = browser(ada).get(at(shop, f"exports/new/?generation={asked}")).text
        options = page.split('name="generation"')[1].split("</select>")[0]
        assert re.findall(r'<option value="([^"]*)"', options) == ["", str(first.pk)]
    answer = browser(ada).post(at(shop, "exports/new/"), {"generation": "", "format": "zip"})
    assert answer.status_code == 422
    assert not RepositoryExport.objects.exists()


def test_nothing_is_exported_that_was_not_generated(ada: User, shop: Project) -> None:
    page = browser(ada).get(at(shop, "exports/new/?to=github")).text
    assert "There is nothing to export" in page
    assert 'name="repository_name"' not in page


def test_exports_are_narrowed_and_lead_where_they_are(ada: User, shop: Project, first: GeneratedProject) -> None:
    common: dict[str, Any] = {"generated_project": first, "created_by": ada}
    RepositoryExport.objects.create(key="1", export_type="github", status="failed", error_message=EVIL, **common)
    RepositoryExport.objects.create(
        key="2",
        export_type="git",
        status="completed",
        repository_url="javascript:alert(1)",
        repository_name="",
        **common,
    )
    RepositoryExport.objects.create(
        key="3", export_type="gitlab", status="completed", repository_url="https://gitlab.com/a/b.git", **common
    )
    client = browser(ada)
    page = client.get(at(shop, "exports/")).text
    assert 'href="https://gitlab.com/a/b"' in page
    assert 'href="javascript' not in page
    assert "<script>alert" not in page
    assert client.get(at(shop, "exports/?status=failed")).text.count("<tr id=") == 1
    assert client.get(at(shop, "exports/?export_type=git")).text.count("<tr id=") == 1
    assert "is-warn" in client.get(at(shop, "exports/?status=odd")).text.split("<main")[1].split("<form")[0]
    part = client.get(at(shop, "exports/"), headers={"HX-Request": "true"}).text
    assert "<main" not in part
    assert part.count("<tr id=") == 3
