"""A project is deleted whole: its rows at once, its files by a task, and nothing of anybody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from backend.apps.authentication.models import User
from backend.apps.projects.models import Archive, GeneratedProject, Project, ProjectMembership, Story
from backend.apps.projects.services import generations
from backend.apps.projects.services.archive_storage import real_path
from backend.apps.projects.services.deletion import REMOVE, remove_files
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.project_generator import ProjectGenerator
from backend.apps.workflows.models import TaskExecution, Workflow, WorkflowExecution, WorkflowVersion
from backend.errors import Conflict, InvalidInput

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> User:
    return User.objects.create_user("owner")


def project_of(owner: User, *, slug: str) -> Project:
    project = Project.objects.create(name=slug, slug=slug, owner=owner)
    Story.objects.create(project=project, title="T", created_by=owner)
    generations.generate(project=project, user=owner, execution_id=None, readme="# Hello\n")
    generation = GeneratedProject.objects.get(project=project)
    ProjectGenerator(str(project.pk)).write_file("a.txt", "a")
    generations.package(project=project, user=owner, execution_id=None, format="zip")
    assert all(place.exists() for place in places(project, generation))
    return project


def places(project: Project, generation: GeneratedProject) -> list[Path]:
    return [
        Path(generation.output_directory),
        ProjectGenerator(str(project.pk)).base_dir,
        GitStore.for_project(project.pk).path,
        Path(real_path(f"{generation.pk}/")),
    ]


def delete(user: User, project: Project) -> Any:
    client = APIClient()
    client.force_authenticate(user)
    return client.delete(f"/api/v1/projects/{project.pk}/")


@pytest.fixture
def folders(tmp_path: Path, settings: Any) -> None:
    settings.GENERATED_PROJECTS_DIR = tmp_path / "workspaces"
    settings.GIT_STORES_DIR = tmp_path / "stores"
    settings.ARCHIVES_DIR = tmp_path / "archives"


@pytest.mark.usefixtures("folders")
def test_it_goes_with_all_its_files_and_no_others(owner: User) -> None:
    project, other = project_of(owner, slug="mill"), project_of(owner, slug="other")
    mine = GeneratedProject.objects.get(project=project)
    gone = places(project, mine)
    execution = execution_on(project, owner, status="failed")
    used = execution.workflow
    Workflow.objects.filter(pk=used.pk).update(project_id=project.pk)
    Workflow.objects.create(name="unused", project_id=project.pk)
    kept = [Workflow.objects.create(name="unused"), Workflow.objects.create(name="unused", project_id=other.pk)]
    assert delete(owner, project).status_code == 204
    assert list(Project.objects.all()) == [other]
    assert set(Workflow.objects.all()) == {used, *kept}
    task = TaskExecution.objects.get()
    assert (task.method, task.project_id) == (REMOVE, None)
    execution.refresh_from_db()
    assert (execution.project_id, execution.project_name) == (None, "mill")
    assert all(place.exists() for place in gone)
    for _ in range(2):
        remove_files(project_id=str(project.pk), generations=[str(mine.pk)])
    assert [place for place in gone if place.exists()] == []
    assert all(place.exists() for place in places(other, GeneratedProject.objects.get(project=other)))
    assert Archive.objects.count() == 1


@pytest.mark.usefixtures("folders")
def test_files_of_what_is_still_there_are_not_removed(owner: User) -> None:
    project, other = project_of(owner, slug="mill"), project_of(owner, slug="other")
    mine, theirs = (GeneratedProject.objects.get(project=each).pk for each in (project, other))
    gone = str(project.pk)
    project.delete()
    for generations_named in ([theirs], [mine, theirs], [other.pk]):
        with pytest.raises(Conflict):
            remove_files(project_id=gone, generations=[str(each) for each in generations_named])
    with pytest.raises(Conflict):
        remove_files(project_id=str(other.pk), generations=[])


@pytest.mark.parametrize(("named", "field"), [(("no id", []), "project_id"), ((str(uuid4()), [".."]), "generations")])
def test_what_is_no_id_is_refused(db: None, named: tuple[str, list[str]], field: str) -> None:
    project_id, generations = named
    with pytest.raises(InvalidInput) as caught:
        remove_files(project_id=project_id, generations=generations)
    assert caught.value.place["field"] == field


@pytest.mark.parametrize("status", ["pending", "running"])
def test_unfinished_work_keeps_it(owner: User, status: str) -> None:
    project = Project.objects.create(name="Mill", slug="mill", owner=owner)
    execution = execution_on(project, owner, status=status)
    answer = delete(owner, project)
    assert (answer.status_code, answer.json()["executions"]) == (409, 1)
    assert answer.json()["hint"]
    WorkflowExecution.objects.filter(pk=execution.pk).update(status="cancelled")
    task = TaskExecution.objects.create(
        key="k", user=owner, project_id=project.pk, method="m", description="d", status=status
    )
    assert delete(owner, project).json()["tasks"] == 1
    TaskExecution.objects.filter(pk=task.pk).update(status="failed")
    assert delete(owner, project).status_code == 204


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("author", 403), ("maintainer", 403), (None, 404)])
def test_only_its_owner_may(owner: User, role: str | None, status: int) -> None:
    project = Project.objects.create(name="Mill", slug="mill", owner=owner)
    user = User.objects.create_user("other")
    if role:
        ProjectMembership.objects.create(project=project, user=user, role=role)
    assert delete(user, project).status_code == status
    assert Project.objects.count() == 1
    assert TaskExecution.objects.count() == 0


def execution_on(project: Project, user: User, *, status: str) -> WorkflowExecution:
    workflow = Workflow.objects.create(name="demo")
    version = WorkflowVersion.objects.create(workflow=workflow, number=1, digest="1", definition={})
    return WorkflowExecution.objects.create(
        workflow=workflow,
        version=version,
        user=user,
        project_id=project.pk,
        project_name=project.name,
        status=status,
    )
