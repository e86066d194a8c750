"""Exports over REST: asked for, worked off by their task, and followed."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from backend.apps.authentication.models import User
from backend.apps.credentials.models import SealedSecret
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.keeping import add_credential
from backend.apps.exports.models import RepositoryExport
from backend.apps.exports.services.abandoning import fail_abandoned_exports
from backend.apps.projects.models import GeneratedProject, Project, ProjectMembership
from backend.apps.projects.services.generations import generate
from backend.apps.workflows.models import TaskExecution
from backend.config.celery import app

pytestmark = pytest.mark.django_db(transaction=True)
V1 = "/api/v1"
TOKEN = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"


@pytest.fixture(autouse=True)
def unsent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent; the tests work tasks off by themselves."""
    app.loader.import_default_modules()
    monkeypatch.setattr("backend.apps.workflows.execution.chains.publish_chain", lambda tasks: True)


def below(generation: GeneratedProject, rest: str) -> str:
    return f"{V1}/projects/{generation.project_id}/generated/{generation.pk}/{rest}"


def work_off(export: dict[str, Any]) -> TaskExecution:
    task = TaskExecution.objects.get(key=f"export/{export['id']}")
    app.tasks[task.method].apply(args=(str(task.pk),))
    task.refresh_from_db()
    return task


@pytest.mark.parametrize("format", ["zip", "tar", "tar.gz"])
def test_an_archive_is_asked_for_made_and_downloaded(
    client: APIClient, mill: Project, owner: User, generation: GeneratedProject, format: str
) -> None:
    # A later generation must not be what is delivered.
    generate(project=mill, user=owner, execution_id=None, readme="# Later\n")
    answer = client.post(below(generation, "export/"), {"export_type": format})
    assert answer.status_code == 202, answer.content
    asked = answer.json()
    assert (asked["status"], asked["export_type"], asked["download_url"]) == ("pending", format, None)
    assert asked["generated_project"] == str(generation.pk)
    assert client.get(f"{V1}/exports/{asked['id']}/download/").status_code == 400
    assert work_off(asked).status == "completed"
    done = client.get(answer["Location"]).json()
    assert (done["status"], done["commit"], done["config"]) == ("completed", generation.commit, {})
    assert done["archive_path"] == f"mill-{generation.commit[:12]}.{format}"
    download: Any = client.get(done["download_url"])
    assert len(b"".join(download.streaming_content)) == done["archive_size"]
    # A second delivery of the message changes nothing.
    work_off(asked)
    assert RepositoryExport.objects.count() == 1


def test_a_repository_on_this_machine(client: APIClient, generation: GeneratedProject, settings: Any) -> None:
    body = {"export_type": "git", "repository_name": "team/mill", "config": {"branch": "trunk"}}
    asked = client.post(below(generation, "export/"), body).json()
    assert asked["config"] == {"branch": "trunk"}
    assert work_off(asked).status == "completed"
    done = client.get(f"{V1}/exports/{asked['id']}/").json()
    assert (done["status"], done["repository_name"]) == ("completed", "team/mill")
    assert done["repository_url"].endswith("/team/mill.git")


def test_the_same_key_asks_for_one(client: APIClient, generation: GeneratedProject) -> None:
    headers = {"Idempotency-Key": "k"}
    first, again = (
        client.post(below(generation, "export/"), {"export_type": "zip"}, headers=headers) for _ in range(2)
    )
    assert (first.json(), again["Idempotency-Replayed"]) == (again.json(), "true")
    assert RepositoryExport.objects.count() == TaskExecution.objects.count() == 1


@pytest.mark.parametrize("status", ["pending", "generating", "failed", "archived"])
def test_only_a_completed_generation_is_exported(client: APIClient, generation: GeneratedProject, status: str) -> None:
    GeneratedProject.objects.update(status=status)
    for rest, body in (
        ("export/", {"export_type": "zip"}),
        ("export-to-github/", {"repository_name": "r", "github_token": TOKEN}),
        ("export-to-gitlab/", {"project_name": "r", "gitlab_token": TOKEN}),
    ):
        answer = client.post(below(generation, rest), body)
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert not RepositoryExport.objects.exists()
    assert not SealedSecret.objects.exists()


def test_a_token_is_sealed_for_the_task_and_shown_nowhere(
    client: APIClient, generation: GeneratedProject, caplog: pytest.LogCaptureFixture
) -> None:
    asked = client.post(
        below(generation, "export-to-github/"),
        {"repository_name": "r", "organization": "acme", "private": False, "github_token": TOKEN},
    )
    assert asked.status_code == 202, asked.content
    export = RepositoryExport.objects.get()
    task = TaskExecution.objects.get()
    assert (export.export_type, export.repository_name) == ("github", "r")
    assert export.config["asked"] == {"organization": "acme", "private": False, "branch": "main"}
    assert task.arguments["github_token"].startswith("secret:")
    assert SealedSecret.objects.filter(execution_id=task.pk).count() == 1
    said = asked.content.decode() + json.dumps([export.config, task.arguments]) + caplog.text
    said += client.get(f"{V1}/exports/{export.pk}/").content.decode()
    assert TOKEN not in said


def test_a_credential_is_named(client: APIClient, owner: User, generation: GeneratedProject) -> None:
    add_credential(user=owner, name="acme-bot", host="gitlab", secret=Secret("glpat-" + "x" * 20))
    body = {"project_name": "r", "namespace": "acme/tools", "visibility": "internal", "credential": "acme-bot"}
    asked = client.post(below(generation, "export-to-gitlab/"), body)
    assert asked.status_code == 202, asked.content
    assert TaskExecution.objects.get().arguments == {
        "project_name": "r",
        "namespace": "acme/tools",
        "visibility": "internal",
        "credential": "acme-bot",
        "branch": "main",
        "generation": str(generation.pk),
    }
    wrong = client.post(below(generation, "export-to-github/"), {"repository_name": "r", "credential": "acme-bot"})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (400, "credential")
    none = client.post(below(generation, "export-to-github/"), {"repository_name": "r", "credential": "nobodys"})
    assert none.status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"export_type": "rar"},
        {"export_type": "zip", "config": {"branch": "x"}},
        {"export_type": "zip", "config": []},
        {"export_type": "zip", "github_token": TOKEN},
        {"export_type": "zip", "config": {"github_token": TOKEN}},
        {"export_type": "github", "repository_name": "r"},
        {"export_type": "github", "repository_name": "../x", "config": {"github_token": TOKEN}},
        {"export_type": "github", "repository_name": "r", "config": {"github_token": TOKEN, "credential": "a"}},
        {"export_type": "github", "repository_name": "r", "config": {"github_token": TOKEN, "namespace": "a"}},
        {"export_type": "github", "repository_name": "r", "config": {"github_token": 5, "branch": "../x"}},
        {"export_type": "github", "repository_name": "r", "config": {"github_token": TOKEN, "branch": "../x"}},
        {"export_type": "github", "repository_name": "r", "config": {"github_token": TOKEN, "base_url": "file:///"}},
        {"export_type": "github", "repository_name": "r", "config": {"github_token": "a\nb"}},
        {"export_type": "gitlab", "repository_name": "r", "config": {"gitlab_token": TOKEN, "visibility": "secret"}},
        {"export_type": "gitlab", "repository_name": TOKEN + "/..", "config": {"gitlab_token": TOKEN}},
        {"export_type": "git"},
        {"export_type": "git", "repository_name": "/etc/x"},
        {"export_type": "git", "repository_name": "x", "config": {"url": "https://example.org/x.git"}},
        {"export_type": "git", "config": {"url": "http://169.254.169.254/x.git"}},
    ],
)
def test_what_no_host_would_take_is_refused_at_the_door(
    client: APIClient, generation: GeneratedProject, body: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    answer = client.post(below(generation, "export/"), body)
    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert not RepositoryExport.objects.exists()
    assert not TaskExecution.objects.exists()
    assert not SealedSecret.objects.exists()
    if body.get("repository_name", "")[:3] != "ghp":
        assert TOKEN not in answer.content.decode() + caplog.text


def test_rights_are_asked_again_when_the_work_is_done(
    client: APIClient, mill: Project, generation: GeneratedProject
) -> None:
    author = User.objects.create_user("author")
    membership = ProjectMembership.objects.create(project=mill, user=author, role="author")
    theirs = APIClient()
    theirs.force_authenticate(author)
    asked = theirs.post(below(generation, "export/"), {"export_type": "zip"}).json()
    membership.delete()
    assert work_off(asked).status == "failed"
    assert theirs.get(f"{V1}/exports/{asked['id']}/").status_code == 404
    assert fail_abandoned_exports(now=timezone.now()) == 1
    shown = client.get(f"{V1}/exports/{asked['id']}/").json()
    assert (shown["status"], shown["archive_path"]) == ("failed", "")
    assert "no project" in shown["error_message"]
    assert fail_abandoned_exports(now=timezone.now()) == 0


def test_a_generation_of_another_project_is_not_delivered(
    owner: User, mill: Project, generation: GeneratedProject
) -> None:
    from backend.apps.workflows.services import enqueue_method

    other = Project.objects.create(name="Other", slug="other", owner=owner)
    task = enqueue_method(
        method="export.export_as_zip",
        arguments={"generation": str(generation.pk)},
        key="k",
        user=owner,
        project_id=other.pk,
    )
    app.tasks[task.method].apply(args=(str(task.pk),))
    task.refresh_from_db()
    assert (task.status, (task.error or {})["code"]) == ("failed", "not_found")


def test_what_goes_on_is_not_abandoned(client: APIClient, generation: GeneratedProject) -> None:
    client.post(below(generation, "export/"), {"export_type": "zip"})
    for status in ("pending", "running", "in_doubt", "completed"):
        TaskExecution.objects.update(status=status)
        assert fail_abandoned_exports(now=timezone.now()) == 0


def test_lists(client: APIClient, generation: GeneratedProject, owner: User, stranger: APIClient) -> None:
    for number, (kind, status) in enumerate((("zip", "completed"), ("tar", "failed"), ("zip", "pending"))):
        RepositoryExport.objects.create(
            key=str(number), generated_project=generation, export_type=kind, status=status, created_by=owner
        )

    def found(path: str, **query: Any) -> list[tuple[str, str]]:
        answer = client.get(path, query)
        assert answer.status_code == 200, answer.content
        return [(each["export_type"], each["status"]) for each in answer.json()["results"]]

    own = below(generation, "exports/")
    assert len(found(own)) == 3
    assert found(own, status="failed") == [("tar", "failed")]
    assert found(own, export_type="zip", ordering="status") == [("zip", "completed"), ("zip", "pending")]
    assert len(found(f"{V1}/exports/", project=generation.project_id)) == 3
    assert len(found(f"{V1}/exports/", generated_project=generation.pk)) == 3
    assert found(f"{V1}/exports/", project=uuid4()) == []
    assert client.get(own, {"status": "x"}).status_code == 400
    assert stranger.get(own).status_code == 404
    assert stranger.get(f"{V1}/exports/").json()["results"] == []


def test_strangers_and_viewers_ask_for_nothing(
    stranger: APIClient, viewer: APIClient, generation: GeneratedProject
) -> None:
    for rest in ("export/", "export-to-github/", "export-to-gitlab/"):
        assert stranger.post(below(generation, rest), {}).status_code == 404
        assert viewer.post(below(generation, rest), {}).status_code == 403
        assert APIClient().post(below(generation, rest), {}).status_code == 401


def test_a_page_costs_the_same_whatever_it_holds(client: APIClient, generation: GeneratedProject, owner: User) -> None:
    def queries(path: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(path, {"page_size": 100}).status_code == 200
        return len(captured)

    def make(first: int, last: int) -> None:
        RepositoryExport.objects.bulk_create(
            RepositoryExport(key=str(n), generated_project=generation, export_type="zip", created_by=owner)
            for n in range(first, last)
        )

    make(0, 1)
    lists = [f"{V1}/exports/", below(generation, "exports/")]
    few = [queries(path) for path in lists]
    make(1, 60)
    assert [queries(path) for path in lists] == few
    assert max(few) <= 4
