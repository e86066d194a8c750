"""What an attempt may still do to a generation after another one has taken its task over."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

import workers.generation.tasks  # noqa: F401  (registers the methods)
from backend.apps.authentication.models import User
from backend.apps.projects.models import GeneratedProject
from backend.apps.projects.services.planning import create_project
from backend.apps.workflows.execution.claim import ClaimedTask, claim
from backend.apps.workflows.models import TaskExecution, Workflow, WorkflowExecution, WorkflowVersion
from backend.apps.workflows.services import enqueue_method
from backend.errors import TemporaryFailure
from workers.call import TaskCall
from workers.service_task import methods

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def task(monkeypatch):
    monkeypatch.setattr("backend.apps.workflows.execution.chains.publish_chain", lambda tasks: True)
    user = User.objects.create_user("u")
    project = create_project(user=user, name="Demo")
    workflow = Workflow.objects.create(name="w")
    version = WorkflowVersion.objects.create(workflow=workflow, number=1, definition={}, digest="d")
    execution = WorkflowExecution.objects.create(workflow=workflow, version=version, user=user, status="running")
    asked = {"structure": {"a.txt": "1"}}
    task = enqueue_method(method="generation.generate", arguments=asked, key="k", user=user, project_id=project.pk)
    TaskExecution.objects.filter(pk=task.pk).update(execution=execution)
    return task


def claimed(task: TaskExecution, *, later: timedelta = timedelta(0)) -> ClaimedTask:
    found = claim(task.pk, worker="w", now=timezone.now() + later)
    assert isinstance(found, ClaimedTask)
    return found


def work(attempt: ClaimedTask) -> None:
    methods["generation.generate"](TaskCall(attempt), **attempt.arguments)


def status() -> str:
    return GeneratedProject.objects.values_list("status", flat=True).get()


def test_one_that_begins_too_late_does_not_open_a_completed_generation_again(task):
    stalled = claimed(task)
    work(claimed(task, later=timedelta(hours=1)))
    assert status() == "completed"
    with pytest.raises(TemporaryFailure, match="taken over"):
        work(stalled)
    assert status() == "completed"


def test_the_newest_attempt_may_open_it_again(task):
    work(claimed(task))
    work(claimed(task, later=timedelta(hours=1)))
    assert status() == "completed"
