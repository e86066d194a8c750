"""The Celery glue."""

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from celery.exceptions import Ignore, Retry, SoftTimeLimitExceeded

from backend.apps.authentication.models import User
from backend.apps.projects.models import ProjectMembership
from backend.apps.projects.services.planning import create_project
from backend.apps.workflows.execution.claim import ClaimedTask
from backend.apps.workflows.execution.interruption import Uninterruptible
from backend.apps.workflows.execution.run import Completed, Failed, Parked, TryAgain
from backend.apps.workflows.models import TaskExecution
from backend.apps.workflows.services import enqueue_method
from backend.config.celery import app
from backend.errors import ConfigurationError, InvalidInput, NotFound, PermissionRefused, TimeLimitExceeded
from workers import service_task as glue
from workers.call import TaskCall
from workers.service_task import TaskFailed, methods, service_task


@pytest.fixture(autouse=True)
def tasks():
    app.loader.import_default_modules()


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), (("not an id",), {}), ((uuid4(),), {}), ((str(uuid4()), "more"), {}), ((str(uuid4()),), {"path": "x"})],
)
def test_a_task_is_sent_with_an_id_and_nothing_else(args, kwargs):
    with pytest.raises(TypeError, match="enqueue_method"):
        app.tasks["generation.write_file"].apply_async(args, kwargs)


def test_delay_with_arguments_names_the_right_door():
    with pytest.raises(TypeError, match="enqueue_method"):
        app.tasks["generation.write_file"].delay(path="x", content="y")


def test_two_tasks_cannot_share_a_name():
    with pytest.raises(ConfigurationError):
        service_task("generation.write_file")(lambda call: None)


def test_every_task_has_a_queue_of_its_worker():
    routes = app.conf.task_routes
    for name in methods:
        prefix = name.split(".")[0]
        assert routes[f"{prefix}.*"]["queue"] == prefix


class FakeTask:
    """What the glue asks of Celery's task."""

    name = "test.do"
    request = SimpleNamespace(hostname="w@h", headers=None)

    def retry(self, countdown):
        return Retry(f"again in {countdown}", when=countdown)


@pytest.mark.parametrize(
    ("outcome", "raised"),
    [(Completed(), None), (TryAgain(4.0), Retry), (Failed("x"), TaskFailed), (Parked("y"), Ignore)],
)
def test_what_celery_is_told(monkeypatch, outcome, raised):
    asked: dict[str, Any] = {}

    def execute(task_id, *, service, worker, interruption):
        asked.update(task_id=task_id, worker=worker, interruption=interruption)
        return outcome

    monkeypatch.setattr(glue, "execute", execute)
    task_id = uuid4()
    task: Any = FakeTask()
    with pytest.raises(raised) if raised else nullcontext():
        glue._run(task, lambda call: None, task_id)
    assert (asked["task_id"], asked["worker"]) == (task_id, "w@h")
    # Here no pool process does the work, so no signal is taken.
    assert isinstance(asked["interruption"], Uninterruptible)


def test_what_is_done_together_is_not_done_by_itself(monkeypatch):
    done: list[Any] = []

    def execute(task_id: Any, **rest: Any) -> Completed:
        done.append(task_id)
        return Completed()

    monkeypatch.setattr(glue, "execute", execute)
    first, second, alone = uuid4(), uuid4(), uuid4()
    ended: list[Any] = []

    def together(task_id, *, worker):
        return [first, second] if (task_id, worker) == (first, "w@h") else []

    for task_id in (first, alone):
        task: Any = FakeTask()
        glue._run(task, lambda call: None, task_id, afterwards=ended.append, together=together)
    assert done == [alone]
    assert ended == [[first, second], [alone]]


def test_a_retried_message_stays_readable():
    task = app.tasks["generation.write_file"]
    task_id = str(uuid4())
    task.push_request(
        id=task_id, args=(task_id,), kwargs={}, argsrepr="demo · files", kwargsrepr="", called_directly=False
    )
    try:
        signature = task.signature_from_request(countdown=3)
    finally:
        task.pop_request()
    assert signature.options["argsrepr"] == "demo · files"
    assert signature.options["countdown"] == 3
    assert signature.options["task_id"] == task_id


@pytest.mark.django_db(transaction=True)
def test_a_task_runs_from_its_message_to_its_row(monkeypatch):
    monkeypatch.setattr("backend.apps.workflows.execution.chains.publish_chain", lambda tasks: True)
    user = User.objects.create_user("u", password="long enough to pass")
    project = create_project(user=user, name="P")
    task = enqueue_method(
        method="generation.write_file",
        arguments={"path": "a/b.txt", "content": "hi\r\n"},
        key="k",
        user=user,
        project_id=project.pk,
    )
    done = app.tasks["generation.write_file"].apply(args=(str(task.pk),))
    assert done.successful()
    task.refresh_from_db()
    assert task.status == TaskExecution.Status.COMPLETED
    assert task.result is not None
    with open(task.result["path"], "rb") as file:
        assert file.read() == b"hi\r\n"


def claimed(user, project_id) -> ClaimedTask:
    from django.utils import timezone

    return ClaimedTask(
        id=uuid4(),
        key="k",
        method="generation.write_file",
        arguments={},
        attempt=1,
        retries=0,
        max_retries=0,
        started_at=timezone.now(),
        user_id=user.pk,
        project_id=project_id,
        execution_id=None,
        step_pk=None,
        step_id="",
        position=0,
        took_over=False,
    )


@pytest.mark.django_db
def test_rights_are_looked_up_when_the_work_is_done():
    owner = User.objects.create_user("owner", password="long enough to pass")
    other = User.objects.create_user("other", password="long enough to pass")
    project = create_project(user=owner, name="P")
    with pytest.raises(NotFound):
        assert TaskCall(claimed(other, project.pk)).project
    membership = ProjectMembership.objects.create(project=project, user=other, role="viewer")
    with pytest.raises(PermissionRefused):
        assert TaskCall(claimed(other, project.pk)).project
    membership.role = "author"
    membership.save()
    assert TaskCall(claimed(other, project.pk)).project == project
    with pytest.raises(InvalidInput):
        assert TaskCall(claimed(other, None)).project


def test_the_soft_time_limit_has_a_meaning(db):
    user = User.objects.create_user("u", password="long enough to pass")

    def slow(call):
        raise SoftTimeLimitExceeded

    with pytest.raises(TimeLimitExceeded):
        glue._serve(slow, claimed(user, None))
