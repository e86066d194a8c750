"""A project of somebody's, with files of its own, and who looks at it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from backend.apps.authentication.models import User
from backend.apps.projects.models import GeneratedProject, Project, ProjectMembership
from backend.apps.projects.services import workspace_files
from backend.apps.projects.services.generations import generate
from backend.apps.projects.services.workspace_files import Expected
from tests.unit.console.conftest import browser

LIST = "/console/projects/"
EVIL = "<script>alert(1)</script>'\"{{ 7*7 }}"


@pytest.fixture(autouse=True)
def own_folders(settings: Any, tmp_path: Path) -> None:
    settings.GENERATED_PROJECTS_DIR = tmp_path / "generated"
    settings.GIT_STORES_DIR = tmp_path / "stores"
    settings.ARCHIVES_DIR = tmp_path / "archives"
    settings.LOCAL_REPOSITORIES_DIR = tmp_path / "repositories"


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.apps.workflows.execution.chains.publish_chain", lambda tasks: True)


def generated(project: Project, **files: str) -> GeneratedProject:
    named = [{"path": path.replace("__", "/").replace("_", "."), "content": text} for path, text in files.items()]
    made = generate(project=project, user=project.owner, execution_id=None, files=named)
    return GeneratedProject.objects.get(pk=made["generation"])


@pytest.fixture
def first(shop: Project) -> GeneratedProject:
    return generated(shop, src__main_py="print('hi')\n", README_md="# Shop\n")


@pytest.fixture
def member(shop: Project, stranger: User) -> Callable[[str], Client]:
    """Return a function that makes somebody a member with a role, and returns their browser."""

    def join(role: str) -> Client:
        ProjectMembership.objects.update_or_create(project=shop, user=stranger, defaults={"role": role})
        return browser(stranger)

    return join


def draft(project: Project, path: str, text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    written = workspace_files.write_file(
        user=project.owner, project_id=project.pk, path=path, data=data, expected=Expected()
    )
    return written.digest


def at(project: Project, more: str = "") -> str:
    return f"{LIST}{project.pk}/{more}"


def looked_at(client: Client, address: str) -> Any:
    """Return the answer to a look, whose file is read to its end and closed where it is one."""
    answer = client.get(address)
    if answer.streaming:
        answer.getvalue()
    return answer
