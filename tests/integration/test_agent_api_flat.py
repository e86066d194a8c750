"""AgentAPICaller against a real server of the other layout, which honours no idempotency keys."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as django_settings

from backend.apps.agents.errors import APIError
from backend.apps.agents.services import calls
from backend.apps.agents.services.api_caller import AgentAPICaller, forget_what_servers_offer
from backend.apps.authentication.models import User
from backend.config.secret_files import write_private
from backend.errors import InDoubt
from tests.integration.flat_server import DOCUMENT_PATH, FlatServer
from tests.integration.installation import FOREIGN, ROOT

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def server(settings: Any) -> Iterator[FlatServer]:
    made = FlatServer()
    settings.BACKEND_URL = made.origin
    settings.OPENAPI_PATH = DOCUMENT_PATH
    forget_what_servers_offer()
    yield made
    forget_what_servers_offer()
    made.stop()


@pytest.fixture
def user(transactional_db: None) -> User:
    return User.objects.create(username="agent", password="!")


def run(work: Any, *, user: User, **arguments: Any) -> Any:
    return calls.run(work, user=user, **{"idempotency_key": "task-1", **arguments})


def test_every_convenience_method_finds_its_place(user: User, server: FlatServer) -> None:
    async def plan(api: AgentAPICaller) -> Any:
        project = await api.get_project("p1")
        sprint = await api.create_sprint("p1", "First", "2026-01-01", "2026-01-14", goal="Grind")
        await api.update_sprint(sprint["id"], status="active")
        story = await api.create_story("p1", "Mill", "Turns", sprint=sprint["id"])
        await api.update_story_status(story["id"], "done")
        await api.create_story("p2", "Elsewhere", "")
        return project, await api.list_stories("p1"), await api.list_sprints("p1")

    project, stories, sprints = run(plan, user=user)
    assert project == {"id": "p1"}
    assert [(row["title"], row["status"], row["project"]) for row in stories["results"]] == [("Mill", "done", "p1")]
    assert [(row["name"], row["status"]) for row in sprints["results"]] == [("First", "active")]
    # The layout was asked for once.
    assert server.requests.count(("GET", DOCUMENT_PATH)) == 1


def test_endpoints_are_discovered_outside_the_prefix(user: User, server: FlatServer) -> None:
    found = run(lambda api: api.discover_endpoints(), user=user)
    assert {each["operation_id"] for each in found} >= {"stories_new", "sprints_change"}
    assert "health" not in {each["operation_id"] for each in found}


def test_a_server_that_says_message_is_heard(user: User, server: FlatServer) -> None:
    with pytest.raises(APIError, match="404: No such thing") as caught:
        run(lambda api: api.update_story_status("s1", "done"), user=user)
    assert caught.value.status_code == 404


def test_a_lost_answer_leaves_a_doubt_and_one_story(user: User, server: FlatServer) -> None:
    server.losing = 1
    with pytest.raises(InDoubt):
        run(lambda api: api.create_story("p1", "Once", ""), user=user)
    assert [row["title"] for row in server.rows["stories"].values()] == ["Once"]


# A worker that is killed after the answer and before it is written back.
KILLED = """
import django, os, signal, sys
django.setup()
from backend import failpoints
from backend.apps.workflows.execution.run import execute
from workers import service_task
from backend.apps.workflows.methods import known_methods
known_methods()
failpoints.install(
    lambda point: os.kill(os.getpid(), signal.SIGKILL) if point is failpoints.Failpoint.CALLED else None
)
from uuid import UUID
serve = lambda task: service_task._serve(service_task.methods[task.method], task)
execute(UUID(sys.argv[1]), service=serve, worker="w")
"""
AGAIN = KILLED.replace("os.kill(os.getpid(), signal.SIGKILL)", "None")


class Worker:
    """An installation of its own, whose tasks are done one by one in processes of their own."""

    def __init__(self, data_dir: Path, server: FlatServer) -> None:
        write_private(data_dir / "secrets" / "jwt_signing_key", str(django_settings.SIMPLE_JWT["SIGNING_KEY"]))
        self.environment = {name: value for name, value in os.environ.items() if name not in FOREIGN} | {
            "REPOMILL_DATA_DIR": str(data_dir),
            "BACKEND_URL": server.origin,
            "DJANGO_SETTINGS_MODULE": "tests.integration.flat_settings",
        }

    def python(self, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def say(self, code: str) -> str:
        done = self.python(f"import django\ndjango.setup()\n{code}")
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


PREPARE = """
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.utils import timezone
from backend.apps.authentication.models import User
from backend.apps.workflows.models import TaskExecution
user = User.objects.create(username="agent", password="!")
task = TaskExecution.objects.create(key="story-1", method="agents.create_story", user=user, ready=True,
    arguments={"project_id": "p1", "title": "Once", "description": ""}, description="d")
print(task.pk)
"""
LEASE_OVER = """
from datetime import timedelta
from backend.apps.workflows.models import TaskExecution
from django.utils import timezone
TaskExecution.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
"""
STATUS = """
from backend.apps.workflows.models import TaskExecution
task = TaskExecution.objects.get()
print(task.status, task.attempt, (task.error or {}).get("code"))
"""


def test_a_worker_that_is_killed_before_the_write_back_leaves_a_doubt_and_one_story(
    server: FlatServer, tmp_path: Path
) -> None:
    worker = Worker(tmp_path, server)
    task = str(UUID(worker.say(PREPARE)))
    assert worker.python(KILLED, task).returncode == -signal.SIGKILL
    assert [row["title"] for row in server.rows["stories"].values()] == ["Once"]
    assert worker.say(STATUS) == "running 1 None"

    worker.say(LEASE_OVER)
    again = worker.python(AGAIN, task)
    assert again.returncode == 0, again.stderr
    assert worker.say(STATUS) == "in_doubt 2 in_doubt"
    assert len(server.rows["stories"]) == 1
