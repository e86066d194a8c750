"""The flat paths of HishamOS: the same things, the project or the generation in the query or in the body."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from backend.apps.exports.models import RepositoryExport
from backend.apps.projects.models import GeneratedProject, Project, ProjectFile, Sprint, Story
from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.services import save_definition
from backend.config.celery import app

pytestmark = pytest.mark.django_db
FLAT = "/api/v1/projects"


@pytest.fixture(autouse=True)
def unsent(monkeypatch: pytest.MonkeyPatch) -> None:
    app.loader.import_default_modules()
    monkeypatch.setattr("backend.apps.workflows.execution.chains.publish_chain", lambda tasks: True)


@pytest.mark.parametrize(
    ("noun", "body", "change"),
    [
        ("stories", {"title": "T", "description": "D"}, {"status": "done"}),
        ("sprints", {"name": "S", "start_date": "2026-01-01", "end_date": "2026-01-14"}, {"status": "active"}),
    ],
)
def test_what_people_plan(
    client: APIClient, stranger: APIClient, viewer: APIClient, mill: Project, noun: str, body: Any, change: Any
) -> None:
    made = client.post(f"{FLAT}/{noun}/", {"project": str(mill.pk), **body})
    assert made.status_code == 201, made.content
    path = f"{FLAT}/{noun}/{made.json()['id']}/"
    nested = f"{FLAT}/{mill.pk}/{noun}/"
    assert client.get(path).json() == client.get(nested).json()["results"][0] == made.json()
    assert client.get(f"{FLAT}/{noun}/", {"project": str(mill.pk)}).json() | {"count": 1} == client.get(nested).json()
    assert client.get(f"{FLAT}/{noun}/", {"project": str(uuid4())}).json()["count"] == 0
    assert client.get(f"{FLAT}/{noun}/", {"status": change["status"]}).json()["count"] == 0
    assert client.patch(path, change).json()["status"] == change["status"]
    assert client.get(f"{FLAT}/{noun}/", {"status": change["status"]}).json()["count"] == 1
    for wrong in ({}, {"project": "x"}, {"project": None}):
        assert client.post(f"{FLAT}/{noun}/", {**body, **wrong}).status_code == 400
    assert client.post(f"{FLAT}/{noun}/", [1]).status_code == 400
    assert stranger.post(f"{FLAT}/{noun}/", {"project": str(mill.pk), **body}).status_code == 404
    assert viewer.post(f"{FLAT}/{noun}/", {"project": str(mill.pk), **body}).status_code == 403
    assert stranger.get(f"{FLAT}/{noun}/").json()["count"] == 0
    assert stranger.get(path).status_code == stranger.patch(path, change).status_code == 404
    assert client.delete(path).status_code == 204
    assert (Story.objects.count(), Sprint.objects.count()) == (0, 0)


def test_generations_and_files(client: APIClient, stranger: APIClient, generation: GeneratedProject) -> None:
    listed = client.get(
        f"{FLAT}/generated-projects/", {"project": str(generation.project_id), "status": "completed"}
    ).json()
    assert [each["id"] for each in listed["results"]] == [str(generation.pk)]
    path = f"{FLAT}/generated-projects/{generation.pk}/"
    nested = f"{FLAT}/{generation.project_id}/generated/{generation.pk}/"
    assert client.get(path).json() == client.get(nested).json()
    files = client.get(
        f"{FLAT}/project-files/", {"generated_project": str(generation.pk), "file_type": "python"}
    ).json()
    assert [each["file_path"] for each in files["results"]] == ["src/main.py"]
    assert client.get(f"{FLAT}/project-files/", {"path": "src/"}).json()["count"] == 1
    file = ProjectFile.objects.get(file_name="main.py")
    assert client.get(f"{FLAT}/project-files/{file.pk}/", {"content": "1"}).json()["content"] == "print('hi')\n"
    raw: Any = client.get(f"{FLAT}/project-files/{file.pk}/content/")
    assert b"".join(raw.streaming_content) == b"print('hi')\n"
    assert stranger.get(f"{FLAT}/generated-projects/").json()["count"] == 0
    assert stranger.get(f"{FLAT}/project-files/").json()["count"] == 0
    for theirs in (path, f"{FLAT}/project-files/{file.pk}/", f"{FLAT}/project-files/{file.pk}/content/"):
        assert stranger.get(theirs).status_code == 404


def test_a_generation_is_started(client: APIClient, stranger: APIClient, mill: Project) -> None:
    step = {"id": "files", "type": "file_generation", "config": {"readme": "# x\n"}}
    version = save_definition(check_definition({"name": "w", "steps": [step]}))
    body = {"project": str(mill.pk), "workflow_id": str(version.workflow_id), "input_data": {}}
    answer = client.post(f"{FLAT}/generated-projects/", body)
    assert answer.status_code == 202, answer.content
    assert client.get(answer["Location"]).json()["status"] == "pending"
    assert stranger.post(f"{FLAT}/generated-projects/", body).status_code == 404
    del body["project"]
    assert client.post(f"{FLAT}/generated-projects/", body).status_code == 400


def test_exports(client: APIClient, stranger: APIClient, generation: GeneratedProject, new_archive: Any) -> None:
    body = {"generated_project": str(generation.pk), "export_type": "zip"}
    asked = client.post(f"{FLAT}/repository-exports/", body)
    assert asked.status_code == 202, asked.content
    path = f"{FLAT}/repository-exports/{asked.json()['id']}/"
    assert client.get(path).json() == asked.json()
    assert client.get(f"{path}download/").status_code == 400
    done = new_archive()
    download: Any = client.get(f"{FLAT}/repository-exports/{done.pk}/download/")
    assert b"".join(download.streaming_content)[:2] == b"PK"
    listed = client.get(f"{FLAT}/repository-exports/", {"generated_project": str(generation.pk), "status": "completed"})
    assert [each["id"] for each in listed.json()["results"]] == [str(done.pk)]
    assert client.post(f"{FLAT}/repository-exports/", {"export_type": "zip"}).status_code == 400
    assert stranger.post(f"{FLAT}/repository-exports/", body).status_code == 404
    assert stranger.get(path).status_code == stranger.get(f"{path}download/").status_code == 404
    assert stranger.get(f"{FLAT}/repository-exports/").json()["count"] == 0
    assert RepositoryExport.objects.count() == 2


def test_the_description_shows_the_nested_layout_alone(client: APIClient) -> None:
    paths = client.get("/api/schema/", headers={"Accept": "application/json"}).json()["paths"]
    assert f"{FLAT}/{{project_id}}/stories/" in paths
    words = ("stories", "sprints", "generated-projects", "project-files", "repository-exports")
    assert [path for path in paths if path.startswith(tuple(f"{FLAT}/{word}/" for word in words))] == []
