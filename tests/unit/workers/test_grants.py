"""What a service token starts does no more than the token may, however far the work has gone from it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from django.conf import settings as configured
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from backend.apps.agents.services import calls
from backend.apps.authentication.grants import CLAIM, as_json, from_json
from backend.apps.authentication.models import ServiceToken, User
from backend.apps.authentication.roles import Grant, Scope
from backend.apps.authentication.services.jwt_service import jwt_service
from backend.apps.authentication.services.service_tokens import add_token
from backend.apps.projects.models import Project, Story
from backend.apps.projects.services.generations import generate
from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.execution.claim import ClaimedTask, claim
from backend.apps.workflows.models import TaskExecution, WorkflowExecution, WorkflowVersion
from backend.apps.workflows.services import enqueue_method, rerun_execution, save_definition
from backend.apps.workflows.services.control import retry_step
from backend.config.celery import app
from backend.errors import PermissionRefused
from workers.call import TaskCall

pytestmark = pytest.mark.django_db(transaction=True)
V1 = "/api/v1"


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> None:
    app.loader.import_default_modules()
    monkeypatch.setattr("backend.apps.workflows.execution.chains.publish_chain", lambda tasks: True)
    settings.GENERATED_PROJECTS_DIR = tmp_path


@pytest.fixture
def owner() -> User:
    return User.objects.create_user("owner")


@pytest.fixture
def project(owner: User) -> Project:
    return Project.objects.create(name="Mill", slug="mill", owner=owner)


@pytest.fixture
def other(owner: User) -> Project:
    return Project.objects.create(name="Other", slug="other", owner=owner)


@pytest.fixture
def version() -> WorkflowVersion:
    """A call, and a second one after it, whose task is made by whoever finishes the first."""
    read = {"type": "api_call", "config": {"method": "GET", "endpoint": "/projects/"}}
    steps = [{"id": "first", **read}, {"id": "second", "depends_on": ["first"], **read}]
    return save_definition(check_definition({"name": "calls", "steps": steps}))


@pytest.fixture
def bearers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tokens that the tasks' calls of the API carried."""
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["Authorization"])
        return httpx.Response(200, headers={"Content-Type": "application/json"}, stream=httpx.ByteStream(b"{}"))

    monkeypatch.setattr("workers.call.run", partial(calls.run, transport=httpx.MockTransport(answer)))
    return seen


def with_token(value: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=value if value.startswith("Bearer") else f"Bearer {value}")
    return client


def do(task: TaskExecution) -> TaskExecution:
    """Do a task as a worker does."""
    app.tasks[task.method].apply(args=(str(task.pk),))
    task.refresh_from_db()
    return task


def task_of(execution_id: Any, step: str) -> TaskExecution:
    return TaskExecution.objects.get(execution_id=execution_id, step__step_id=step)


def started(client: APIClient, version: WorkflowVersion, project: Project) -> WorkflowExecution:
    body = {"project": str(project.pk), "input_data": {}}
    answer = client.post(f"{V1}/workflows/{version.workflow_id}/execute/", body, format="json")
    assert answer.status_code in {201, 202}, answer.content
    return WorkflowExecution.objects.get(pk=answer.json()["id"])


# What a call of the API gets: story in the run's project, story in another one, a new execution, a member, the account.
CALLS: dict[str, tuple[tuple[str, ...] | None, bool, list[int]]] = {
    "a person": (None, False, [201, 201, 200, 200]),
    "run": (("run",), False, [403, 403, 403, 200]),
    "run on this project": (("run",), True, [403, 403, 403, 200]),
    "run and write": (("run", "write"), False, [201, 201, 403, 200]),
    "run and write on this project": (("run", "write"), True, [201, 404, 403, 200]),
}


@pytest.mark.parametrize("who", CALLS)
def test_what_a_run_calls_is_limited_as_its_token_is(
    who: str, owner: User, project: Project, other: Project, version: WorkflowVersion, bearers: list[str]
) -> None:
    scopes, narrowed, expected = CALLS[who]
    if scopes is None:
        value = jwt_service.generate_token(owner)
    else:
        value = add_token(user=owner, name="ci", scopes=scopes, project_id=project.pk if narrowed else None).value
    execution = started(with_token(value), version, project)
    # The task of the second step is made by the worker, far from the request.
    for step in ("first", "second"):
        assert do(task_of(execution.pk, step)).status == "completed"
    for bearer in bearers:
        client = with_token(bearer)
        answers = [
            client.post(f"{V1}/projects/{project.pk}/stories/", {"title": "T"}, format="json"),
            client.post(f"{V1}/projects/{other.pk}/stories/", {"title": "T"}, format="json"),
            client.patch(f"{V1}/auth/me/", {"first_name": "Ada"}, format="json"),
            client.get(f"{V1}/projects/{project.pk}/"),
        ]
        assert [answer.status_code for answer in answers] == expected
    assert len(bearers) == 2
    assert Story.objects.count() == 2 * expected.count(201)


def test_a_run_that_a_run_starts_is_limited_alike(
    owner: User, project: Project, version: WorkflowVersion, bearers: list[str]
) -> None:
    token = add_token(user=owner, name="ci", scopes=["run"], project_id=project.pk)
    first = started(with_token(token.value), version, project)
    do(task_of(first.pk, "first"))
    second = started(with_token(bearers[0]), version, project)
    assert second.grant == first.grant == as_json(Grant(frozenset({Scope.READ, Scope.RUN}), project.pk, token.row.pk))
    assert task_of(second.pk, "first").grant == second.grant


@pytest.mark.parametrize(
    ("scopes", "narrowed", "works"),
    [
        (["run"], False, True),
        (["run"], True, True),
        (["run", "manage"], True, True),
        (["write"], True, True),
        (["read"], True, False),
    ],
)
def test_a_run_writes_in_its_own_project_and_nowhere_else(
    owner: User, project: Project, other: Project, scopes: list[str], narrowed: bool, works: bool
) -> None:
    limited(owner, scopes, project if narrowed else None)
    task = enqueued(owner, project)
    assert (do(task).status == "completed") is works
    if works:
        assert (Path(configured.GENERATED_PROJECTS_DIR) / str(project.pk) / "a.txt").read_bytes() == b"a"
    else:
        assert task.error is not None
        assert task.error["code"] == "permission_denied"
    claimed = claim(enqueued(owner, project, key="k2").pk, worker="w", now=timezone.now())
    assert isinstance(claimed, ClaimedTask)
    call = TaskCall(claimed)
    assert (call.author.grant is not None and call.author.grant.project_id) == project.pk
    # What is allowed on the own project widens nothing else.
    assert call.user.grant == owner.grant


ENDS: dict[str, Callable[[ServiceToken], Any]] = {
    "revoked": lambda token: token.delete(),
    "expired": lambda token: ServiceToken.objects.filter(pk=token.pk).update(
        expires_at=timezone.now() - timedelta(seconds=1)
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_nothing_more_is_done_once_the_token_has_ended(
    end: str, owner: User, project: Project, version: WorkflowVersion, bearers: list[str]
) -> None:
    token = add_token(user=owner, name="ci", scopes=["run", "write"])
    execution = started(with_token(token.value), version, project)
    do(task_of(execution.pk, "first"))
    assert with_token(bearers[0]).get(f"{V1}/projects/").status_code == 200
    limited(owner, ["run"], project, name="other")
    write = enqueued(owner, project)
    ENDS[end](ServiceToken.objects.get(name="ci"))
    ENDS[end](ServiceToken.objects.get(name="other"))
    # What was minted before is refused as well, and does not wait until it expires.
    assert with_token(bearers[0]).get(f"{V1}/projects/").status_code == 401
    for task in (task_of(execution.pk, "second"), write):
        done = do(task)
        assert (done.status, done.retries) == ("failed", 0)
        assert done.error is not None
        assert (done.error["code"], done.error["field"]) == ("permission_denied", "token")
    assert len(bearers) == 1
    with pytest.raises(PermissionRefused):
        jwt_service.generate_token(owner)


def test_who_sets_it_going_again_lends_it_no_rights(
    owner: User, project: Project, version: WorkflowVersion, bearers: list[str]
) -> None:
    token = add_token(user=owner, name="ci", scopes=["run"])
    execution = started(with_token(token.value), version, project)
    token.row.delete()
    assert do(task_of(execution.pk, "first")).status == "failed"
    person = User.objects.get(pk=owner.pk)
    retry_step(execution_id=execution.pk, step_id="first", user=person)
    again = do(task_of(execution.pk, "first"))
    assert (again.status, again.grant) == ("failed", execution.grant)
    # Who reruns it starts it, with what they may.
    rerun = rerun_execution(execution_id=execution.pk, user=person)
    assert rerun.grant is None
    assert do(task_of(rerun.pk, "first")).status == "completed"
    assert with_token(bearers[-1]).patch(f"{V1}/auth/me/", {"first_name": "A"}, format="json").status_code == 200


@pytest.mark.parametrize(
    "claimed",
    [
        None,
        {},
        [],
        "run",
        {"scopes": ["read"]},
        {"scopes": "run", "project": None, "token": None},
        {"scopes": [], "project": 1, "token": None},
        {"scopes": [], "project": "mill", "token": None},
        {"scopes": [], "project": None, "token": str(uuid4())},
        {"scopes": [[]], "project": None},
    ],
)
def test_a_claim_that_is_no_grant_is_no_way_in(owner: User, claimed: Any) -> None:
    token = AccessToken.for_user(owner)
    assert with_token(str(token)).get(f"{V1}/projects/").status_code == 200
    token[CLAIM] = claimed
    assert with_token(str(token)).get(f"{V1}/projects/").status_code == 401


def test_a_grant_is_kept_as_it_is() -> None:
    for grant in (None, Grant(frozenset()), Grant(frozenset(Scope), uuid4(), uuid4())):
        kept = from_json(as_json(grant))
        assert kept == grant
        assert (kept and kept.token_id) == (grant and grant.token_id)
    # A scope of a newer version is none of ours.
    assert from_json({"scopes": ["all"], "project": None, "token": None}) == Grant(frozenset())


def limited(user: User, scopes: list[str], project: Project | None, *, name: str = "limited") -> None:
    """Have the user act with a token, as a request does."""
    row = add_token(user=user, name=name, scopes=scopes, project_id=project.pk if project else None).row
    user.grant = Grant(frozenset(Scope(scope) for scope in row.scopes), row.project_id, row.pk)


def enqueued(user: User, project: Project, *, key: str = "k") -> TaskExecution:
    arguments = {"path": "a.txt", "content": "a"}
    return enqueue_method(
        method="generation.write_file", arguments=arguments, key=key, user=user, project_id=project.pk
    )


WISH: dict[str, Any] = {"selection": {"kind": "all"}, "export_type": "zip"}


def test_a_token_for_one_project_reaches_the_others_by_no_bulk_export(owner: User, project: Project) -> None:
    token = add_token(user=owner, name="ci", scopes=["run"], project_id=project.pk)
    client = with_token(token.value)
    schedule = {"name": "nightly", "cron": "0 3 * * *", "export": WISH}
    for path, body in (("bulk-exports/", WISH), ("bulk-exports/plan/", WISH), ("export-schedules/", schedule)):
        answer = client.post(f"{V1}/{path}", body, format="json")
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied"), answer.content
    assert not TaskExecution.objects.exists()


@pytest.mark.parametrize("revoked", [False, True])
def test_each_project_of_a_bulk_export_is_delivered_with_the_tokens_rights(
    owner: User, project: Project, settings: Any, tmp_path: Path, revoked: bool
) -> None:
    settings.GIT_STORES_DIR, settings.ARCHIVES_DIR = tmp_path / "stores", tmp_path / "archives"
    generate(project=project, user=owner, execution_id=None, readme="# Mill\n")
    token = add_token(user=owner, name="ci", scopes=["run"])
    assert with_token(token.value).post(f"{V1}/bulk-exports/", WISH, format="json").status_code == 201
    assert do(TaskExecution.objects.get(method="bulk.plan")).status == "completed"
    item = TaskExecution.objects.get(method="bulk.deliver")
    assert item.grant == as_json(Grant(frozenset({Scope.READ, Scope.RUN}), None, token.row.pk))
    if revoked:
        token.row.delete()
        # Of those that go together none is done; each then has a message of its own, and is told why.
        assert do(item).status == "pending"
    assert do(item).status == ("failed" if revoked else "completed"), item.error
