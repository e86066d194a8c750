"""Deliveries with a stored credential: who may use it, where it goes, what is recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from backend.apps.authentication.models import User
from backend.apps.credentials.models import Credential
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.keeping import add_credential
from backend.apps.exports.models import RepositoryExport
from backend.apps.exports.services.access import open_access
from backend.apps.exports.services.deliver import deliver_to_git, deliver_to_github, deliver_to_gitlab
from backend.apps.projects.errors import CredentialRejected, Diverged, RepositoryExists
from backend.apps.projects.models import Project
from backend.apps.projects.services.generations import generate
from backend.apps.projects.services.repository_exporter import RepositoryExporter
from backend.apps.workflows.models import TaskExecution
from backend.apps.workflows.services import enqueue_method
from backend.config.celery import app
from backend.config.storage_url import storages_of
from backend.errors import Conflict, InvalidInput, NotFound
from tests.integration.hosts.api_server import Call
from tests.integration.hosts.gitlab_server import ALICE, GitLabServer
from tests.integration.hosts.work import commit_of_somebody

pytestmark = [pytest.mark.integration, pytest.mark.django_db]
Status = RepositoryExport.Status


@pytest.fixture(autouse=True)
def folders(settings, tmp_path: Path):
    for name in ("GENERATED_PROJECTS_DIR", "GIT_STORES_DIR", "ARCHIVES_DIR", "LOCAL_REPOSITORIES_DIR"):
        setattr(settings, name, tmp_path / name.lower())


@pytest.fixture
def server(tmp_path: Path):
    with GitLabServer(tmp_path / "served") as server:
        yield server


@pytest.fixture
def user():
    return User.objects.create(username="owner")


@pytest.fixture
def project(user):
    project = Project.objects.create(name="Demo", slug="demo", owner=user)
    generate(project=project, user=user, execution_id=None, readme="# x")
    return project


@pytest.fixture
def add(user, server):
    def call(name: str = "bot", *, host: str = "gitlab", token: str = ALICE, **options: Any) -> Credential:
        options.setdefault("base_url", server.origin)
        return add_credential(user=options.pop("user", user), name=name, host=host, secret=Secret(token), **options)

    return call


@pytest.fixture
def deliver(project, user):
    def call(service=deliver_to_gitlab, *, key: str = "k", user: User = user, **wanted: Any) -> dict[str, Any]:
        wanted.setdefault("credential", "bot")
        if service is deliver_to_gitlab:
            wanted.setdefault("project_name", "hello")
        result: dict[str, Any] = service(key=key, project=project, user=user, execution_id=None, **wanted)
        return result

    return call


def test_a_delivery_is_recorded_and_not_repeated(add, deliver, server, project):
    add()
    result = deliver(namespace="alice", topics=["t"])
    export = RepositoryExport.objects.get()
    assert (export.status, export.export_type, export.repository_name) == (Status.COMPLETED, "gitlab", "alice/hello")
    assert export.repository_url == result["html_url"] == f"{server.origin}/alice/hello"
    assert export.config["request"]["credential"] == "bot"
    assert ALICE not in str(export.config)
    server.reset()
    assert deliver(namespace="alice", topics=["t"]) == result
    assert server.calls == []
    with pytest.raises(Conflict):
        deliver(namespace="team")
    assert deliver(key="k2", namespace="alice")["pushed"] is False


def test_a_failure_is_recorded_in_the_hosts_words(add, deliver, server):
    add(token="glpat-" + "nobodys-token-at-all")
    with pytest.raises(CredentialRejected):
        deliver()
    export = RepositoryExport.objects.get()
    assert export.status == Status.FAILED
    assert "401 Unauthorized" in export.error_message
    assert "nobodys-token" not in export.error_message
    Credential.objects.all().delete()
    add()
    assert deliver()["created"] is True
    assert RepositoryExport.objects.get().status == Status.COMPLETED


def test_a_repository_of_somebody_else_is_recorded_as_such(add, deliver, server):
    add()
    data = {"name": "hello", "path": "hello", "description": "mine"}
    server.answer(Call("POST", "/api/v4/projects", data, f"Bearer {ALICE}"))
    with pytest.raises(RepositoryExists):
        deliver()
    assert RepositoryExport.objects.get().status == Status.FAILED


def test_nobody_uses_a_strangers_credential(add, deliver, server, project):
    stranger = User.objects.create(username="stranger")
    add(user=stranger)
    with pytest.raises(NotFound):
        deliver()
    assert server.calls == []
    add("shared", user=stranger, project_id=project.pk)
    assert deliver(key="k2", credential="shared")["created"] is True


def test_a_credential_goes_to_its_own_kind_of_host_only(add, deliver, server):
    add()
    with pytest.raises(InvalidInput, match="is for GitLab, not for GitHub"):
        deliver(deliver_to_github, repository_name="hello")
    assert server.calls == []


def test_a_token_that_was_given_goes_to_the_public_host_or_the_given_one(project, user):
    who = {"host": "github", "project": project, "user": user, "credential": None}
    access = open_access(token=Secret("some-token"), **who)
    assert (access.secret.reveal(), access.base_url, access.username) == ("some-token", None, "x-access-token")
    assert open_access(token=Secret("x"), base_url="https://h.example", **who).base_url == "https://h.example"
    for wrong in (
        {},
        {"credential": "bot", "token": Secret("x")},
        {"credential": "bot", "base_url": "https://h.example"},
    ):
        with pytest.raises(InvalidInput):
            open_access(**{**who, **wrong})


def test_git_with_a_credential(add, deliver, server, user):
    server.create_repository("alice/plain.git")
    add(host="git", username="alice")
    url = f"{server.origin}/alice/plain.git"
    assert deliver(deliver_to_git, url=url)["pushed"] is True
    assert server.branches("alice/plain.git").keys() == {"main"}
    assert RepositoryExport.objects.get().config["request"]["credential"] == "bot"


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"url": "https://elsewhere.example/alice/plain.git"}, "not sent to another address"),
        ({"url": "not a url"}, "not sent to another address"),
        ({"repository_name": "local"}, "without a credential"),
        ({}, "exactly one"),
    ],
)
def test_git_credentials_that_do_not_fit(add, deliver, wanted, said):
    add(host="git")
    with pytest.raises(InvalidInput, match=said):
        deliver(deliver_to_git, **wanted)


def test_a_credential_below_a_path_is_not_for_its_neighbours(add, deliver, server):
    add(host="git", base_url=f"{server.origin}/alice")
    with pytest.raises(InvalidInput):
        deliver(deliver_to_git, url=f"{server.origin}/alice2/plain.git")


def test_the_exporter_takes_the_newest_generation(server, project, user):
    exporter = RepositoryExporter(str(project.pk))
    first = exporter.export_to_gitlab(ALICE, "hello", base_url=server.origin)
    generated = generate(project=project, user=user, execution_id=None, readme="# y")
    second = exporter.export_to_gitlab(ALICE, "hello", base_url=server.origin)
    assert first["commit"] != second["commit"] == generated["commit"]
    one = RepositoryExporter(str(project.pk), generation_id=generated["generation"])
    assert one.export_to_gitlab(ALICE, "hello", base_url=server.origin)["pushed"] is False
    with pytest.raises(Conflict):
        RepositoryExporter(str(uuid4())).export_to_gitlab(ALICE, "hello", base_url=server.origin)


@pytest.fixture
def do(project, user, monkeypatch):
    """Runs a method as a task and returns its row."""
    app.loader.import_default_modules()
    monkeypatch.setattr("backend.apps.workflows.execution.chains.publish_chain", lambda tasks: True)

    def run(method: str, **arguments: Any) -> TaskExecution:
        task = enqueue_method(method=method, arguments=arguments, key=method, user=user, project_id=project.pk)
        app.tasks[method].apply(args=(str(task.pk),))
        task.refresh_from_db()
        return task

    return run


@pytest.mark.django_db(transaction=True)
def test_a_task_is_given_the_name_of_a_credential(add, do, server):
    add()
    done = do("export.export_to_gitlab", credential="bot", project_name="by-task", topics=["t"])
    assert done.status == "completed", done.error
    assert (done.result["full_name"], done.result["created"]) == ("alice/by-task", True)
    assert ALICE not in str((done.arguments, done.result))
    refused = do("export.export_to_github", credential="bot", repository_name="by-task")
    assert (refused.status, refused.error["code"]) == ("failed", "invalid_input")


@pytest.mark.django_db(transaction=True)
def test_a_task_is_given_a_literal_token(do, server):
    done = do("export.export_to_gitlab", gitlab_token=ALICE, base_url=server.origin, project_name="by-token")
    assert (done.status, done.result["full_name"]) == ("completed", "alice/by-token"), done.error
    assert ALICE not in str((done.arguments, done.result, list(RepositoryExport.objects.values())))
    server.create_repository("alice/plain.git")
    url = f"{server.origin}/alice/plain.git"
    pushed = do("export.export_to_git", url=url, token=ALICE, username="alice")
    assert (pushed.status, pushed.result["pushed"]) == ("completed", True), pushed.error
    assert ALICE not in str((pushed.arguments, pushed.result, list(RepositoryExport.objects.values())))


def test_what_another_host_has_delivered_to_is_known_though_it_has_moved_on(
    add, deliver, server, user, settings, tmp_path
):
    settings.STORAGES = settings.STORAGES | storages_of(f"file://{tmp_path}/shared")
    project = Project.objects.get()
    generate(project=project, user=user, execution_id=None, readme="# y")
    add()
    first = deliver()
    (bare,) = server.folder.rglob("hello.git")
    commit_of_somebody(bare, on=first["commit"])
    # Another host, which has nothing of its own yet.
    settings.GIT_STORES_DIR = tmp_path / "stores-of-another"
    with pytest.raises(Diverged):
        deliver(key="k2")
