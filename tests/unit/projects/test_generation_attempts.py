"""Several attempts at one generation: what one has recorded the others leave, and what nobody tries again fails."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from backend.apps.projects.errors import StorageUnavailable
from backend.apps.projects.models import GeneratedProject, ProjectFile
from backend.apps.projects.services import generations
from backend.apps.projects.services.generation_records import ABANDONED, fail_abandoned, open_generation, record
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.workspace import Workspace
from backend.apps.workflows.models import WorkflowExecution
from backend.errors import TemporaryFailure

pytestmark = pytest.mark.django_db
Status = GeneratedProject.Status
STRUCTURE: dict[str, Any] = {"src": {"one.py": "1\n", "two.py": "2\n"}, "empty": []}


def test_what_another_attempt_has_recorded_of_the_same_commit_is_left(demo, make, new_execution, monkeypatch):
    execution = new_execution()
    made = make(execution, structure=STRUCTURE)
    real = GitStore.commit

    def recorded_by_another(self, *arguments, **options):
        commit = real(self, *arguments, **options)
        record(GeneratedProject.objects.get(), commit, seal="")
        # And a third one has opened it again.
        GeneratedProject.objects.update(status=Status.GENERATING)
        return commit

    monkeypatch.setattr(GitStore, "commit", recorded_by_another)
    later = make(execution, structure={"src/new.py": "new", "src/one.py": "changed"})
    rows = ProjectFile.objects.filter(generated_project=made["generation"])
    assert later["total_files"] == rows.count()
    assert rows.get(file_path="src/one.py").content_preview == "changed"


def test_a_step_that_was_overtaken_by_another_one_is_tried_again(demo, make, new_execution, monkeypatch):
    execution = new_execution()
    make(execution, structure=STRUCTURE)
    real = GitStore.commit

    def meanwhile(self, *arguments, **options):
        GeneratedProject.objects.update(commit="f" * 40)
        return real(self, *arguments, **options)

    monkeypatch.setattr(GitStore, "commit", meanwhile)
    with pytest.raises(TemporaryFailure):
        make(execution, readme="# later")


@pytest.mark.parametrize(("last", "status"), [(True, Status.FAILED), (False, Status.GENERATING)])
def test_a_generation_that_nobody_will_try_again_is_failed(demo, make, owner, new_execution, last, status):
    execution = new_execution()
    opened = open_generation(project=demo, user=owner, execution_id=execution)
    with Workspace(Path(opened.output_directory)).writing(), pytest.raises(TemporaryFailure):
        make(execution, readme="# x", gives_up=lambda error: last)
    opened.refresh_from_db()
    assert opened.status == status


def storage_is_gone(*arguments: Any, **options: Any) -> None:
    raise StorageUnavailable("It does not answer.", retry_after=5.0)


def test_the_attempts_of_a_task_on_its_own_share_one_generation(demo, make, monkeypatch):
    task = uuid4()
    with monkeypatch.context() as broken:
        broken.setattr(generations, "share", storage_is_gone)
        with pytest.raises(StorageUnavailable):
            make(None, task_id=task, readme="# x", gives_up=lambda error: False)
    made = make(None, task_id=task, readme="# x")
    # Its result was lost with its worker: the same comes of it once more.
    assert make(None, task_id=task, readme="# x") == made
    assert list(GeneratedProject.objects.values_list("status", flat=True)) == [Status.COMPLETED]
    assert make(None, task_id=uuid4(), readme="# y")["generation"] != made["generation"]


def test_a_generation_that_no_task_tries_again_is_failed_whatever_the_error_says(demo, make, monkeypatch):
    monkeypatch.setattr(generations, "share", storage_is_gone)
    with pytest.raises(StorageUnavailable):
        make(None, readme="# x")
    assert GeneratedProject.objects.get().status == Status.FAILED


@pytest.mark.parametrize(
    ("execution_status", "age", "failed"),
    [("running", 99, 0), ("failed", 0, 1), ("cancelled", 0, 1), (None, 0, 0), (None, 99, 1)],
)
def test_abandoned_generations_are_failed(demo, owner, new_execution, execution_status, age, failed):
    execution = new_execution() if execution_status else None
    WorkflowExecution.objects.update(status=execution_status or "running")
    opened = open_generation(project=demo, user=owner, execution_id=execution)
    assert fail_abandoned(now=timezone.now() + timedelta(hours=age)) == failed
    opened.refresh_from_db()
    assert (opened.status, opened.error_message) == ((Status.FAILED, ABANDONED) if failed else (Status.GENERATING, ""))
