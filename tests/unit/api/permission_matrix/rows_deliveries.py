"""Rows of generations, their files and exports, downloads, workspace files, differences and credentials."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from django.conf import settings

from backend.apps.credentials.models import Credential
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.keeping import add_credential
from backend.apps.exports.models import RepositoryExport
from backend.apps.exports.services.deliver import deliver_archive
from backend.apps.exports.services.links import signed_download_url
from backend.apps.projects.models import GeneratedProject, ProjectFile
from backend.apps.projects.services.generations import generate
from backend.apps.projects.services.workspace_files import workspace_of
from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.services import save_definition
from tests.unit.api.permission_matrix.table import (
    Answers,
    Row,
    open_to_all,
    own,
    running,
    seeing,
    writing,
)
from tests.unit.api.permission_matrix.world import World

PROJECT = "projects/<uuid:project_id>/"
GENERATION = f"{PROJECT}generated/<uuid:generation_id>/"
FLAT = "projects/"
SPRINT = {"name": "S", "start_date": "2026-01-01", "end_date": "2026-01-02"}
TOKEN = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"
CREDENTIAL = {"name": "a", "host": "github", "value": "x"}
OWNER_ALONE = Answers(401, 404, 403, 403, 403, 200, 403, 403, 403, 403, 200)
"""For a credential that is shared with the project: its owner changes it, and its members see it."""


def _generation(world: World) -> GeneratedProject:
    found = GeneratedProject.objects.filter(project=world.project).first()
    if found is None:
        generate(project=world.project, user=world.owner, execution_id=None, readme="# Mill\n")
        found = GeneratedProject.objects.get()
    return found


def _file(world: World) -> ProjectFile:
    return ProjectFile.objects.get(generated_project=_generation(world))


def _export(world: World) -> RepositoryExport:
    _generation(world)
    made = deliver_archive(key="k", project=world.project, user=world.owner, execution_id=None, format="zip")
    assert Path(settings.ARCHIVES_DIR).is_dir()
    return RepositoryExport.objects.get(pk=made["export"])


def _credential(world: World) -> Credential:
    found = Credential.objects.first()
    return found or add_credential(
        user=world.owner,
        name="bot",
        host="git",
        base_url="https://git.example.org",
        secret=Secret("s"),
        project_id=world.project.pk,
    )


def _workflow(world: World) -> dict[str, Any]:
    step = {"id": "files", "type": "file_generation", "config": {"readme": "# x\n"}}
    version = save_definition(check_definition({"name": "w", "steps": [step]}))
    return {"workflow_id": str(version.workflow_id)}


def _in_project(**body: Any) -> Any:
    return lambda world: {"project": str(world.project.pk), **body}


def _flat_generation(world: World) -> dict[str, Any]:
    return {"project": str(world.project.pk), **_workflow(world)}


def _flat_export(world: World) -> dict[str, Any]:
    return {"generated_project": str(_generation(world).pk), "export_type": "zip"}


def _link(world: World) -> dict[str, str]:
    url = signed_download_url(user=world.owner, export_id=_export(world).pk).url
    return {"link": unquote(url.partition("?link=")[2])}


def _written(world: World) -> None:
    _generation(world)
    workspace_of(world.project).write("README.md", b"# Mill\n")


def _zip(_world: World) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("README.md", "# Mill\n")
    return body.getvalue()


OBJECTS = {
    "generation_id": lambda world: _generation(world).pk,
    "file_id": lambda world: _file(world).pk,
    "export_id": lambda world: _export(world).pk,
    "credential_id": lambda world: _credential(world).pk,
}

ROWS = [
    Row("POST", f"{PROJECT}generate/", running(202), body=_workflow),
    Row("POST", f"{PROJECT}generated/generate/", running(202), body=_workflow),
    Row("GET", f"{PROJECT}generated/", seeing()),
    Row("GET", GENERATION, seeing()),
    Row("GET", f"{GENERATION}files/", seeing()),
    Row("GET", f"{GENERATION}files/content/", seeing(), query="?path=README.md"),
    Row("GET", f"{GENERATION}files/<uuid:file_id>/", seeing()),
    Row("GET", f"{GENERATION}files/<uuid:file_id>/raw/", seeing()),
    Row("GET", f"{GENERATION}exports/", seeing()),
    Row("POST", f"{GENERATION}export/", running(202), body={"export_type": "zip"}),
    Row(
        "POST",
        f"{GENERATION}export-to-github/",
        running(202),
        body={"repository_name": "r", "github_token": TOKEN},
    ),
    Row(
        "POST",
        f"{GENERATION}export-to-gitlab/",
        running(202),
        body={"project_name": "r", "gitlab_token": TOKEN},
    ),
    Row("GET", "exports/", own()),
    Row("GET", "exports/<uuid:export_id>/", seeing()),
    Row("GET", "exports/<uuid:export_id>/download/", seeing()),
    Row("POST", "exports/<uuid:export_id>/link/", Answers(401, 404, *[201] * 9), body={}),
    Row("GET", "downloads/", open_to_all(), body=_link),
    Row("GET", f"{PROJECT}files/", seeing(), prepare=_written),
    Row("GET", f"{PROJECT}files/content/", seeing(), query="?path=README.md", prepare=_written),
    Row(
        "PUT",
        f"{PROJECT}files/content/",
        writing(200),
        body={"content": "x"},
        query="?path=README.md",
        prepare=_written,
    ),
    # What the first who may has deleted stays deleted: no transaction covers the disk.
    Row(
        "DELETE",
        f"{PROJECT}files/content/",
        Answers(401, 404, 403, 204, 404, 404, 404, 403, 404, 403, 403),
        query="?path=README.md",
        prepare=_written,
    ),
    Row("POST", f"{PROJECT}files/archive/", writing(200), body=_zip, content_type="application/zip"),
    Row("GET", f"{PROJECT}diff/", seeing(), query="?new=workspace", prepare=_written),
    Row("GET", f"{PROJECT}diff/patch/", seeing(), prepare=_written),
    Row("GET", f"{FLAT}stories/", own()),
    Row("POST", f"{FLAT}stories/", writing(201), body=_in_project(title="T")),
    Row("GET", f"{FLAT}stories/<uuid:story_id>/", seeing()),
    Row("PATCH", f"{FLAT}stories/<uuid:story_id>/", writing(200), body={"status": "done"}),
    Row("DELETE", f"{FLAT}stories/<uuid:story_id>/", writing(204)),
    Row("GET", f"{FLAT}sprints/", own()),
    Row("POST", f"{FLAT}sprints/", writing(201), body=_in_project(**SPRINT)),
    Row("GET", f"{FLAT}sprints/<uuid:sprint_id>/", seeing()),
    Row("PATCH", f"{FLAT}sprints/<uuid:sprint_id>/", writing(200), body={"status": "active"}),
    Row("DELETE", f"{FLAT}sprints/<uuid:sprint_id>/", writing(204)),
    Row("GET", f"{FLAT}generated-projects/", own()),
    Row("POST", f"{FLAT}generated-projects/", running(202), body=_flat_generation),
    Row("GET", f"{FLAT}generated-projects/<uuid:generation_id>/", seeing()),
    Row("GET", f"{FLAT}project-files/", own()),
    Row("GET", f"{FLAT}project-files/<uuid:file_id>/", seeing()),
    Row("GET", f"{FLAT}project-files/<uuid:file_id>/content/", seeing()),
    Row("GET", f"{FLAT}repository-exports/", own()),
    Row("POST", f"{FLAT}repository-exports/", running(202), body=_flat_export),
    Row("GET", f"{FLAT}repository-exports/<uuid:export_id>/", seeing()),
    Row("GET", f"{FLAT}repository-exports/<uuid:export_id>/download/", seeing()),
    Row("GET", "credentials/", own()),
    Row(
        "POST",
        "credentials/",
        Answers(401, 201, 201, 201, 201, 201, 201, 403, 403, 403, 201),
        body={"name": "a", "host": "github", "value": "x"},
    ),
    Row("GET", "credentials/<uuid:credential_id>/", seeing()),
    Row("PATCH", "credentials/<uuid:credential_id>/", OWNER_ALONE, body={"project": None}),
    Row("DELETE", "credentials/<uuid:credential_id>/", OWNER_ALONE._replace(owner=204, token_manage=204)),
    Row("POST", "credentials/<uuid:credential_id>/rotate/", OWNER_ALONE, body={"value": "x"}),
    Row(
        "POST",
        "credentials/<uuid:credential_id>/check/",
        seeing()._replace(token_read=403, token_run=403, token_manage=403),
    ),
]
