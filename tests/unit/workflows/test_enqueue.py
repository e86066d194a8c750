"""One service method as a task of its own."""

import pytest

from backend.apps.workflows.execution.run import Completed, Failed, TryAgain
from backend.apps.workflows.models import TaskExecution
from backend.apps.workflows.services import enqueue_method
from backend.errors import Conflict, InvalidInput, RemoteRefused, RemoteUnreachable

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_method_is_recorded_sent_and_done(user, runner, broker):
    task = enqueue_method(
        method="generation.write_file", arguments={"path": "x", "content": ""}, key="k", user=user, project_name="p"
    )
    assert broker.sent == [[task.pk]]
    assert task.description == "p · generation.write_file"
    assert isinstance(runner.do(task.pk), Completed)
    task.refresh_from_db()
    assert task.status == "completed"
    assert task.result == {"did": {"path": "x", "content": ""}}


def test_the_same_key_is_the_same_work(user, broker):
    first = enqueue_method(method="generation.write_file", arguments={"path": "x", "content": ""}, key="k", user=user)
    again = enqueue_method(method="generation.write_file", arguments={"path": "x", "content": ""}, key="k", user=user)
    assert again.pk == first.pk
    assert TaskExecution.objects.count() == 1
    with pytest.raises(Conflict):
        enqueue_method(method="generation.write_file", arguments={"path": "y", "content": ""}, key="k", user=user)
    with pytest.raises(InvalidInput):
        enqueue_method(method="generation.write_file", arguments={"path": object(), "content": ""}, key="z", user=user)
    with pytest.raises(InvalidInput):
        enqueue_method(method="generation.cleanup", arguments={}, key="with space", user=user)


@pytest.mark.parametrize(("error", "outcome"), [(RemoteRefused, Failed), (RemoteUnreachable, TryAgain)])
def test_it_fails_and_waits_like_any_other(user, runner, error, outcome):
    def raises(claimed):
        raise error

    runner.service = raises
    task = enqueue_method(method="generation.cleanup", arguments={}, key="k", user=user)
    assert isinstance(runner.do(task.pk), outcome)
