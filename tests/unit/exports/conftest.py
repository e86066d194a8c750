"""What the tests of exports over REST share: a project with a completed generation, and who may see it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from backend.apps.authentication.models import User
from backend.apps.exports.models import RepositoryExport
from backend.apps.exports.services.deliver import deliver_archive
from backend.apps.projects.models import GeneratedProject, Project, ProjectMembership
from backend.apps.projects.services.generations import generate


@pytest.fixture
def own_folders(settings: Any, tmp_path: Path) -> Path:
    """Folders below the test's own for workspaces, stores, archives and repositories."""
    settings.GENERATED_PROJECTS_DIR = tmp_path / "generated"
    settings.GIT_STORES_DIR = tmp_path / "stores"
    settings.ARCHIVES_DIR = tmp_path / "archives"
    settings.LOCAL_REPOSITORIES_DIR = tmp_path / "repositories"
    return tmp_path


def client_of(user: User) -> APIClient:
    """Return a client that acts as the user."""
    client = APIClient()
    client.force_authenticate(user)
    return client


@pytest.fixture
def owner(db: None) -> User:
    return User.objects.create_user("ada")


@pytest.fixture
def client(owner: User) -> APIClient:
    return client_of(owner)


@pytest.fixture
def mill(owner: User, own_folders: Path) -> Project:
    return Project.objects.create(name="Die Mühle", slug="mill", owner=owner)


@pytest.fixture
def viewer(mill: Project) -> APIClient:
    user = User.objects.create_user("vera")
    ProjectMembership.objects.create(project=mill, user=user, role=ProjectMembership.Role.VIEWER)
    return client_of(user)


@pytest.fixture
def stranger(db: None) -> APIClient:
    return client_of(User.objects.create_user("mallory"))


@pytest.fixture
def generation(mill: Project, owner: User) -> GeneratedProject:
    """A completed generation of the mill."""
    files = {"src": {"main.py": "print('hi')\n"}, "index.html": "<script>alert(1)</script>\n"}
    made = generate(project=mill, user=owner, execution_id=None, structure=files, readme="# Mill\n")
    return GeneratedProject.objects.get(pk=made["generation"])


@pytest.fixture
def new_archive(mill: Project, owner: User, generation: GeneratedProject) -> Callable[..., RepositoryExport]:
    """Return a function that delivers the generation as an archive, and returns the export."""

    def make(format: str = "zip") -> RepositoryExport:
        made = deliver_archive(key=f"test/{format}", project=mill, user=owner, execution_id=None, format=format)
        return RepositoryExport.objects.get(pk=made["export"])

    return make
