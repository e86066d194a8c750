"""Controls of executions, and tasks, over REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from backend.apps.projects.models import Project
from backend.apps.workflows.models import TaskExecution, WorkflowExecution
from backend.errors import InDoubt, RemoteRefused

pytestmark = pytest.mark.django_db
# Messages leave after a commit.
committed = pytest.mark.django_db(transaction=True)
V1 = "/api/v1"
RUNS = f"{V1}/workflows/executions/"
TASKS = f"{V1}/workflows/tasks/"
Begin = Callable[..., str]
Clients = Callable[[str], APIClient]
CONTROLS: dict[str, Any] = {"pause": {}, "resume": {}, "cancel": {}, "retry": {"step": "a"}, "rerun": {}}


def fail(runner: Any, error: Exception) -> None:
    def service(claimed: Any) -> Any:
        raise error

    runner.service, before = service, runner.service
    runner.until_idle()
    runner.service = before


def test_pause_resume_cancel(author: APIClient, begin: Begin) -> None:
    path = f"{RUNS}{begin()}/"
    answer = author.post(f"{path}pause/")
    assert (answer.status_code, answer.json()["paused"], answer.json()["status"]) == (200, True, "running")
    again = author.post(f"{path}pause/")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert author.post(f"{path}resume/").json()["paused"] is False
    assert author.post(f"{path}cancel/", {"step": "nope"}).status_code == 404
    assert author.post(f"{path}cancel/", {"stop": "a"}).status_code == 400
    assert author.post(f"{path}cancel/").json()["status"] == "cancelled"


@committed
def test_a_step_is_cancelled_and_done_again(author: APIClient, begin: Begin, runner: Any) -> None:
    identifier = begin()
    assert author.post(f"{RUNS}{identifier}/cancel/", {"step": "a"}).json()["status"] == "failed"
    assert author.post(f"{RUNS}{identifier}/retry/", {"step": "b"}).status_code == 409
    assert author.post(f"{RUNS}{identifier}/retry/").status_code == 400
    assert author.post(f"{RUNS}{identifier}/retry/", {"step": "a"}).json()["status"] == "running"
    runner.until_idle()
    assert author.get(f"{RUNS}{identifier}/").json()["status"] == "completed"


@committed
def test_a_failed_execution_goes_on(author: APIClient, begin: Begin, runner: Any) -> None:
    identifier = begin()
    fail(runner, RemoteRefused("No."))
    assert author.get(f"{RUNS}{identifier}/").json()["error"]["code"] == "remote_refused"
    assert author.post(f"{RUNS}{identifier}/resume/").json()["retry_count"] == 1


def test_a_rerun_takes_the_inputs_that_differ(author: APIClient, begin: Begin, project: Project) -> None:
    identifier = begin(project="mill")
    answer = author.post(f"{RUNS}{identifier}/rerun/", {"input_data": {"name": "y"}})
    assert answer.status_code == 202
    made = WorkflowExecution.objects.get(pk=answer.json()["id"])
    assert (made.input_data["name"], made.project_id) == ("y", project.pk)
    elsewhere = author.post(f"{RUNS}{identifier}/rerun/", {"input_data": {"project": str(uuid4())}})
    assert (elsewhere.status_code, elsewhere.json()["errors"][0]["field"]) == (400, "input_data.project")


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("starter", ["author", "owner"])
def test_who_may_control(client_of: Clients, begin: Begin, project: Project, control: str, starter: str) -> None:
    allowed = {"owner", "maintainer", "operator"} | ({"author"} if starter == "author" else set())
    for who in ("owner", "maintainer", "author", "viewer", "stranger", "operator"):
        path = f"{RUNS}{begin(client_of(starter), project='mill')}/{control}/"
        status = client_of(who).post(path, CONTROLS[control]).status_code
        if who in allowed:
            assert (who, status in {200, 202, 409}) == (who, True)
        else:
            assert (who, status) == (who, 404 if who == "stranger" else 403)


def test_a_method_is_called_once_for_each_key(
    author: APIClient, project: Project, broker: Any, client_of: Clients
) -> None:
    body = {
        "method": "generation.write_file",
        "arguments": {"path": "a", "content": "b"},
        "project": "mill",
        "key": "k",
    }
    first, again = author.post(TASKS, body), author.post(TASKS, body)
    assert (first.status_code, again.json()) == (202, first.json())
    assert author.get(first["Location"]).json() == first.json()
    assert "arguments" not in first.json()
    other = author.post(TASKS, body | {"arguments": {"path": "c", "content": "d"}})
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    # Keys of different users do not meet.
    assert client_of("owner").post(TASKS, body).json()["id"] != first.json()["id"]
    assert len(author.get(TASKS).json()["results"]) == 2


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"method": "generation.wriet_file"}, 400, "method"),
        ({"method": "generation.write_file", "arguments": {"path": "a"}}, 400, "arguments.content"),
        ({"method": "generation.write_file", "key": "a b"}, 400, "key"),
        ({"method": "generation.write_file", "max_retries": 1000}, 400, "max_retries"),
        ({"method": "generation.write_file", "project": "no-such"}, 404, "project"),
        ({}, 400, "method"),
    ],
)
def test_what_cannot_be_called(author: APIClient, body: Any, status: int, field: str) -> None:
    answer = author.post(TASKS, body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, field)
    assert not TaskExecution.objects.exists()


@pytest.mark.parametrize(("who", "status"), [("viewer", 403), ("stranger", 404), ("maintainer", 202)])
def test_who_may_call(client_of: Clients, project: Project, broker: Any, who: str, status: int) -> None:
    body = {"method": "generation.write_file", "arguments": {"path": "a", "content": "b"}, "project": str(project.pk)}
    assert client_of(who).post(TASKS, body).status_code == status


@pytest.mark.parametrize(("outcome", "ends"), [("done", "completed"), ("retry", "completed")])
@committed
def test_what_is_in_doubt_is_found_and_settled(
    client_of: Clients, author: APIClient, begin: Begin, project: Project, runner: Any, outcome: str, ends: str
) -> None:
    identifier = begin(project="mill")
    fail(runner, InDoubt("Who knows."))
    (task,) = author.get(f"{TASKS}?in_doubt=true").json()["results"]
    assert (task["status"], task["execution"]) == ("in_doubt", identifier)
    assert client_of("stranger").get(f"{TASKS}?in_doubt=true").json()["results"] == []
    path = f"{TASKS}{task['id']}/"
    assert client_of("stranger").get(path).status_code == 404
    body = {"outcome": outcome, "result": {"by": "hand"} if outcome == "done" else None}
    assert client_of("stranger").post(f"{path}resolve/", body).status_code == 404
    assert client_of("viewer").post(f"{path}resolve/", body).status_code == 403
    assert author.post(f"{path}resolve/", {"outcome": "maybe"}).status_code == 400
    assert author.post(f"{path}resolve/", {"outcome": "retry", "result": 1}).status_code == 400
    assert author.post(f"{path}resolve/", body).status_code == 200
    assert author.post(f"{path}resolve/", body).status_code == 409
    runner.until_idle()
    assert author.get(f"{RUNS}{identifier}/").json()["status"] == ends
    if outcome == "done":
        assert author.get(path).json()["result"] == {"by": "hand"}
    listed = author.get(f"{TASKS}?execution={identifier}").json()["results"]
    assert len(listed) == 4
