"""What the tests of generations share: a user, a project, executions, and folders of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from backend.apps.authentication.models import User
from backend.apps.projects.models import Project
from backend.apps.projects.services.generations import generate
from backend.apps.projects.services.git_store import GitStore
from backend.apps.workflows.models import Workflow, WorkflowExecution, WorkflowVersion


@pytest.fixture
def own_folders(settings: Any, tmp_path: Path) -> Path:
    """Folders below the test's own for workspaces, stores and archives."""
    settings.GENERATED_PROJECTS_DIR = tmp_path / "generated"
    settings.GIT_STORES_DIR = tmp_path / "stores"
    settings.ARCHIVES_DIR = tmp_path / "archives"
    return tmp_path


@pytest.fixture
def store(tmp_path: Path) -> GitStore:
    """A git store that is not there yet, of no project."""
    return GitStore(tmp_path / "store.git")


@pytest.fixture
def owner(db: None) -> User:
    """The user `owner`."""
    return User.objects.create(username="owner")


@pytest.fixture
def demo(owner: User, own_folders: Path) -> Project:
    """The project `demo` of `owner`, in folders of its own."""
    return Project.objects.create(name="Demo", slug="demo", owner=owner)


@pytest.fixture
def new_execution(owner: User) -> Callable[[], UUID]:
    """Return a function that makes an execution and returns its id."""
    workflow = Workflow.objects.create(name="w")
    version = WorkflowVersion.objects.create(workflow=workflow, number=1, definition={}, digest="d")
    return lambda: WorkflowExecution.objects.create(workflow=workflow, version=version, user=owner).pk


@pytest.fixture
def make(demo: Project, owner: User) -> Callable[..., dict[str, Any]]:
    """Return a function that generates for `demo` and returns the result."""

    def run(execution: UUID | None = None, **asked: Any) -> dict[str, Any]:
        return generate(project=demo, user=owner, execution_id=execution, **asked)

    return run
