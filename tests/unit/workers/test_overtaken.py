"""What an attempt may still do to a project's files after another one has taken its task over: nothing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

import workers.agents.tasks
import workers.export.tasks
import workers.generation.tasks  # noqa: F401  (all register their methods)
from backend.apps.authentication.models import User
from backend.apps.exports.models import RepositoryExport
from backend.apps.exports.services import deliver
from backend.apps.projects.models import GeneratedProject
from backend.apps.projects.services import generations
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.planning import create_project
from backend.apps.workflows.execution.claim import ClaimedTask, Overtaken, claim
from backend.apps.workflows.execution.interruption import Interrupted
from backend.apps.workflows.models import TaskExecution, Workflow, WorkflowExecution, WorkflowVersion
from backend.apps.workflows.services import enqueue_method
from workers.call import TaskCall
from workers.service_task import methods

pytestmark = pytest.mark.django_db(transaction=True)
LATER = timedelta(hours=1)


@pytest.fixture
def ask(monkeypatch):
    """Return a function that records a task of one execution on one project."""
    monkeypatch.setattr("backend.apps.workflows.execution.chains.publish_chain", lambda tasks: True)
    user = User.objects.create_user("u")
    project = create_project(user=user, name="Demo")
    workflow = Workflow.objects.create(name="w")
    version = WorkflowVersion.objects.create(workflow=workflow, number=1, definition={}, digest="d")
    execution = WorkflowExecution.objects.create(workflow=workflow, version=version, user=user, status="running")

    def record(method: str, **arguments: Any) -> TaskExecution:
        key = str(TaskExecution.objects.count())
        task = enqueue_method(method=method, arguments=arguments, key=key, user=user, project_id=project.pk)
        TaskExecution.objects.filter(pk=task.pk).update(execution=execution)
        return task

    return record


def claimed(task: TaskExecution, *, later: timedelta = timedelta(0)) -> ClaimedTask:
    found = claim(task.pk, worker="w", now=timezone.now() + later)
    assert isinstance(found, ClaimedTask)
    return found


def work(attempt: ClaimedTask) -> None:
    methods[attempt.method](TaskCall(attempt), **attempt.arguments)


def generation() -> GeneratedProject:
    return GeneratedProject.objects.get()


def test_one_that_begins_too_late_does_not_open_a_completed_generation_again(ask):
    task = ask("generation.generate", structure={"a.txt": "1"})
    stalled = claimed(task)
    work(claimed(task, later=LATER))
    assert generation().status == "completed"
    with pytest.raises(Overtaken):
        work(stalled)
    assert generation().status == "completed"


def test_the_newest_attempt_may_open_it_again(ask):
    task = ask("generation.generate", structure={"a.txt": "1"})
    work(claimed(task))
    work(claimed(task, later=LATER))
    assert generation().status == "completed"


def test_one_that_stalls_before_it_writes_does_not_write_over_what_a_later_step_wrote(ask, monkeypatch):
    task, next_one = (ask("generation.generate", structure={"a.txt": text}) for text in ("first", "second"))
    stalled = claimed(task)
    real = generations.open_generation

    def stall(**options: Any) -> GeneratedProject:
        monkeypatch.setattr(generations, "open_generation", real)
        opened = real(**options)
        work(claimed(task, later=LATER))
        work(claimed(next_one))
        return opened

    monkeypatch.setattr(generations, "open_generation", stall)
    with pytest.raises(Overtaken):
        work(stalled)
    made = generation()
    assert made.status == "completed"
    assert Path(made.output_directory, "a.txt").read_text() == "second"
    assert GitStore.for_project(made.project_id).file(made.commit, "a.txt") == b"second"


def test_one_that_is_interrupted_does_not_call_failed_what_another_generates(ask, monkeypatch):
    task = ask("generation.generate", structure={"a.txt": "1"})
    stalled = claimed(task)

    def take_over(*arguments: Any, **options: Any) -> None:
        claimed(task, later=LATER)
        raise Interrupted

    with monkeypatch.context() as broken:
        broken.setattr(GitStore, "commit", take_over)
        with pytest.raises(Interrupted):
            work(stalled)
    assert generation().status == "generating"


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("generation.write_file", {"path": "a.txt", "content": "old"}),
        ("generation.generate_project_structure", {"structure": {"a.txt": "old"}}),
        ("generation.create_directory", {"path": "old"}),
        ("generation.cleanup", {}),
    ],
)
def test_one_that_wakes_up_later_leaves_the_workspace_as_it_is(ask, method, arguments):
    work(claimed(ask("generation.write_file", path="a.txt", content="new")))
    task = ask(method, **arguments)
    stalled = claimed(task)
    successor = claimed(task, later=LATER)
    with pytest.raises(Overtaken):
        work(stalled)
    place = TaskCall(successor).generator.base_dir
    assert [path.name for path in place.iterdir()] == ["a.txt"]
    assert (place / "a.txt").read_text() == "new"


def test_one_that_begins_too_late_delivers_nothing(ask):
    work(claimed(ask("generation.generate", structure={"a.txt": "1"})))
    task = ask("export.export_as_zip")
    stalled = claimed(task)
    claimed(task, later=LATER)
    with pytest.raises(Overtaken):
        work(stalled)
    assert not RepositoryExport.objects.exists()


def test_one_that_fails_too_late_does_not_call_failed_what_another_delivers(ask, monkeypatch):
    work(claimed(ask("generation.generate", structure={"a.txt": "1"})))
    task = ask("export.export_as_zip")
    stalled = claimed(task)

    def take_over(**options: Any) -> None:
        claimed(task, later=LATER)
        raise Interrupted

    monkeypatch.setattr(deliver, "package", take_over)
    with pytest.raises(Interrupted):
        work(stalled)
    assert RepositoryExport.objects.get().status == "exporting"


def test_one_that_begins_too_late_calls_nobody(ask, monkeypatch):
    task = ask("agents.get_project", project_id="p")
    stalled = claimed(task)
    claimed(task, later=LATER)
    monkeypatch.setattr("workers.call.run", lambda *arguments, **options: pytest.fail("it made a request"))
    with pytest.raises(Overtaken):
        work(stalled)
