"""Every task of the generation, export and agents workers, on real services."""

import inspect
import json
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.apps.agents.services import calls
from backend.apps.agents.services.api_caller import AgentAPICaller
from backend.apps.authentication.models import User
from backend.apps.projects.services.planning import create_project
from backend.apps.projects.services.project_generator import ProjectGenerator
from backend.apps.projects.services.repository_exporter import RepositoryExporter
from backend.apps.workflows.services import enqueue_method
from backend.config.celery import app
from workers.maintenance import tasks as maintenance
from workers.service_task import methods

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def do(monkeypatch):
    """Runs a method as a task and returns its result."""
    app.loader.import_default_modules()
    monkeypatch.setattr("backend.apps.workflows.execution.chains.publish_chain", lambda tasks: True)
    user = User.objects.create_user("u", password="long enough to pass")
    project = create_project(user=user, name="Tasks")

    def run(method: str, /, **arguments: Any) -> Any:
        key = f"{method}/{len(arguments)}"
        task = enqueue_method(method=method, arguments=arguments, key=key, user=user, project_id=project.pk)
        app.tasks[method].apply(args=(str(task.pk),))
        task.refresh_from_db()
        assert task.status == "completed", task.error
        return task.result

    return run


def test_a_project_is_built_file_by_file(do, settings):
    templates = Path(settings.PROJECT_TEMPLATES_DIR)
    templates.mkdir(parents=True, exist_ok=True)
    (templates / "hello.txt").write_text("Hello {{ name }}")

    base = Path(do("generation.create_directory", path="src")["path"]).parent
    assert (base / "src").is_dir()
    do("generation.write_file", path="src/a.py", content="x = 1\n")
    assert do("generation.generate_project_structure", structure={"b": {"c.txt": "c"}})["created"] == 1
    do("generation.generate_from_template", template_path="hello.txt", output_path="hello.txt", context={"name": "you"})
    do("generation.create_gitignore", patterns=["*.pyc"])
    do("generation.create_readme", content="# Tasks")
    assert do("generation.initialize_git_repository") == {"initialized": True}
    assert sorted(path.relative_to(base).as_posix() for path in base.rglob("*") if path.is_file()) == [
        ".gitignore",
        "README.md",
        "b/c.txt",
        "hello.txt",
        "src/a.py",
    ]
    assert (base / "hello.txt").read_text() == "Hello you"
    assert do("generation.cleanup") == {"removed": True}
    assert not base.exists()


@pytest.fixture
def asked(monkeypatch):
    """Every request that the agents' tasks make, answered with its own method and path."""
    found: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        found.append(request)
        told: dict[str, Any] = {"was": f"{request.method} {request.url.path}"}
        if request.url.path == "/api/schema/":
            told = {"openapi": "3.0.3", "paths": {"/api/v1/x/": {"get": {"summary": "X"}}}}
        body = httpx.ByteStream(json.dumps(told).encode())
        return httpx.Response(200, headers={"Content-Type": "application/json"}, stream=body)

    real = calls.run
    monkeypatch.setattr("workers.call.run", partial(real, transport=httpx.MockTransport(answer)))
    return found


PROJECT = "0b5c0a57-6f0c-4f0e-9a06-5c7e3e3b7a11"


@pytest.mark.parametrize(
    ("method", "arguments", "request_line"),
    [
        ("agents.call", {"method": "POST", "endpoint": "/projects/", "data": {"name": "x"}}, "POST /api/v1/projects/"),
        (
            "agents.create_story",
            {"project_id": PROJECT, "title": "t", "description": "d", "priority": "high"},
            f"POST /api/v1/projects/{PROJECT}/stories/",
        ),
        (
            "agents.update_story_status",
            {"story_id": PROJECT, "status": "done"},
            f"PATCH /api/v1/stories/{PROJECT}/",
        ),
        (
            "agents.create_sprint",
            {"project_id": PROJECT, "name": "s", "start_date": "2026-01-01", "end_date": "2026-01-14"},
            f"POST /api/v1/projects/{PROJECT}/sprints/",
        ),
        ("agents.update_sprint", {"sprint_id": PROJECT, "goal": "g"}, f"PATCH /api/v1/sprints/{PROJECT}/"),
        ("agents.get_project", {"project_id": PROJECT}, f"GET /api/v1/projects/{PROJECT}/"),
        ("agents.list_stories", {"project_id": PROJECT, "status": "done"}, f"GET /api/v1/projects/{PROJECT}/stories/"),
        ("agents.list_sprints", {"project_id": PROJECT}, f"GET /api/v1/projects/{PROJECT}/sprints/"),
    ],
)
def test_an_agents_call_is_a_task(do, asked, method, arguments, request_line):
    assert do(method, **arguments) == {"was": request_line}
    assert len(asked) == 1
    if not request_line.startswith("GET"):
        assert asked[0].headers["Idempotency-Key"]


def test_discovering_endpoints_is_a_task(do, asked):
    (found,) = do("agents.discover_endpoints")
    assert (found["method"], found["path"], found["summary"]) == ("GET", "/api/v1/x/", "X")


@pytest.mark.parametrize(
    "name",
    [
        "maintenance.reconcile",
        "maintenance.forget_old_answers",
        "maintenance.forget_agent_actions",
        "maintenance.fail_abandoned_generations",
        "maintenance.remove_deleted_projects",
        "maintenance.remove_archived_workspaces",
        "maintenance.repack_stores",
        "maintenance.sweep_archives",
    ],
)
def test_what_beat_asks_for_is_a_task(db, name):
    app.loader.import_default_modules()
    assert app.tasks[name].apply().successful()
    assert name in {entry["task"] for entry in app.conf.beat_schedule.values()}


def test_every_public_method_of_the_services_has_a_task():
    app.loader.import_default_modules()
    without = {
        f"{prefix}.{name}"
        for prefix, service in (
            ("generation", ProjectGenerator),
            ("export", RepositoryExporter),
            ("agents", AgentAPICaller),
        )
        for name, member in inspect.getmembers(service, inspect.isfunction)
        if not name.startswith("_") and f"{prefix}.{name}" not in methods
    }
    # Closing a client is the task's own business.
    assert without == {"agents.close"}


def test_secrets_are_sent_in_a_body_and_come_back_nowhere(do, asked, monkeypatch):
    secret = "a-password-of-some-length"
    real = calls.run
    echoed: list[httpx.Request] = []

    def echo(request: httpx.Request) -> httpx.Response:
        echoed.append(request)
        return httpx.Response(
            200, headers={"Content-Type": "application/json"}, stream=httpx.ByteStream(request.content)
        )

    monkeypatch.setattr("workers.call.run", partial(real, transport=httpx.MockTransport(echo)))
    result = do("agents.call", method="POST", endpoint="/users/", data={"name": "x", "password": secret})
    assert json.loads(echoed[0].content) == {"name": "x", "password": secret}
    assert result == {"name": "x", "password": "[secret]"}


def test_a_secret_is_put_into_no_query(do, asked):
    with pytest.raises(AssertionError, match="does not belong in a query"):
        do("agents.call", method="GET", endpoint="/users/", params={"token": "a-token-of-some-length"})
    assert asked == []


@pytest.mark.parametrize(("lost", "said"), [(0, []), (3, ["the broker has lost its messages: 3 are sent again"])])
def test_a_broker_that_has_lost_nothing_worries_nobody(db, monkeypatch, caplog, lost, said):
    monkeypatch.setattr(maintenance, "broker_has_forgotten", lambda: True)
    monkeypatch.setattr(maintenance, "mark_broker", lambda: None)
    monkeypatch.setattr(maintenance, "expect_no_answers", lambda now: lost)
    maintenance.reconcile()
    assert [record.getMessage() for record in caplog.records] == said
