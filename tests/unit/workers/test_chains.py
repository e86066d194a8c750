"""Whole workflows in this process: real services and real tasks, and a broker that delivers at once."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from backend.apps.authentication.models import User
from backend.apps.exports.models import RepositoryExport
from backend.apps.projects.models import Archive, GeneratedProject
from backend.apps.projects.services.planning import create_project
from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.models import WorkflowExecution
from backend.apps.workflows.services import save_definition, start_execution
from backend.config.celery import app

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run(monkeypatch):
    """Runs steps on a project and returns the execution as it ended."""
    app.loader.import_default_modules()

    def deliver(tasks) -> bool:
        for task in tasks:
            if not app.tasks[task.method].apply(args=(str(task.pk),)).successful():
                break
        return True

    monkeypatch.setattr("backend.apps.workflows.execution.chains.publish_chain", deliver)
    user = User.objects.create_user("u", password="long enough to pass")
    project = create_project(user=user, name="Chains")

    def start(*steps: dict[str, Any]) -> WorkflowExecution:
        version = save_definition(check_definition({"name": "chains", "steps": list(steps)}))
        execution = start_execution(
            version=version, inputs={}, user=user, project_id=project.pk, project_name=project.slug
        )
        execution.refresh_from_db()
        return execution

    return start


def publish(**config: Any) -> dict[str, Any]:
    return {"id": "publish", "type": "repo_creation", "config": {"readme": "# hi", **config}}


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_an_archive_is_generated_packaged_and_delivered(run, kind):
    execution = run(publish(export_type=kind))
    assert execution.status == "completed", execution.error
    archive = execution.state["steps"]["publish"]["result"]["archive"]
    content = Path(archive["path"]).read_bytes()
    assert archive["path"].endswith(f".{kind}")
    assert archive["size"] == len(content)
    assert archive["digest"] == hashlib.sha256(content).hexdigest()
    export = RepositoryExport.objects.get()
    assert (export.status, export.export_type, export.archive_size) == ("completed", kind, len(content))
    assert Archive.objects.count() == 1


def test_a_repository_is_generated_packaged_and_pushed(run):
    files = {"id": "files", "type": "file_generation", "config": {"structure": {"src": {"a.py": "x = 1\n"}}}}
    execution = run(files, publish(host="git", repository_name="chains/first", branch="trunk"))
    assert execution.status == "completed", execution.error
    result = execution.state["steps"]["publish"]["result"]
    assert result["default_branch"] == "trunk"
    generation = GeneratedProject.objects.get()
    assert generation.status == "completed"
    assert generation.commit == result["commit"] == result["generation"]["commit"]
    # The second generation of one execution adds to the first.
    assert list(generation.files.values_list("file_path", flat=True)) == ["README.md", "src/a.py"]


def test_a_bad_path_fails_the_run_and_writes_nothing(run):
    execution = run(publish(export_type="zip", structure={"ok.txt": "x", "../evil.txt": "x"}))
    assert execution.status == "failed"
    assert execution.error["code"] == "invalid_path"
    assert execution.error["path"] == ".."
    generation = GeneratedProject.objects.get()
    assert generation.status == "failed"
    assert list(Path(generation.output_directory).glob("**/*")) == []
