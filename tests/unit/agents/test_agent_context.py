"""What an agent can do in its user's name, and what the audit trail says of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models.signals import post_init
from django.test.utils import CaptureQueriesContext

from backend.api.errors import IdempotencyKeyReused
from backend.apps.agents.mcp_server.catalogue import TOOLS
from backend.apps.agents.models import AgentAction
from backend.apps.agents.selectors import actions_on, visible_actions
from backend.apps.agents.services.agent_context import AgentContext
from backend.apps.authentication.models import User
from backend.apps.authentication.roles import Grant, Scope
from backend.apps.exports.services.deliver import deliver_archive
from backend.apps.projects.errors import InvalidPath
from backend.apps.projects.models import Project, ProjectMembership
from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.models import (
    ExecutionEvent,
    StepExecution,
    TaskExecution,
    WorkflowExecution,
    WorkflowVersion,
)
from backend.apps.workflows.services import save_definition
from backend.config.rates import Rate
from backend.errors import Conflict, InvalidInput, NotFound, PermissionRefused, RateLimited, RepomillError

CANARY = "c4n4ry-content"
DEFINITION = {
    "name": "note",
    "description": "Writes a note.",
    "inputs": {
        "type": "object",
        "required": ["text"],
        "properties": {"text": {"type": "string"}, "project": {"type": "string"}},
    },
    "steps": [{"id": "files", "type": "file_generation", "config": {"structure": {"note.txt": "${{ inputs.text }}"}}}],
}


@pytest.fixture
def folders(settings: Any, tmp_path: Path) -> None:
    settings.GENERATED_PROJECTS_DIR = tmp_path / "generated"
    settings.GIT_STORES_DIR = tmp_path / "stores"
    settings.ARCHIVES_DIR = tmp_path / "archives"


@pytest.fixture
def project(user: User, folders: None) -> Project:
    return Project.objects.create(name="Shop", slug="shop", owner=user)


@pytest.fixture
def agent(user: User, project: Project) -> AgentContext:
    return AgentContext(user=user, project="shop")


def member(project: Project, role: str) -> User:
    made = User.objects.create(username=role)
    ProjectMembership.objects.create(project=project, user=made, role=role)
    return made


def trail() -> list[tuple[str, str, str]]:
    return list(AgentAction.objects.order_by("created_at").values_list("action", "status", "error_code"))


def test_files_are_written_read_compared_and_committed(agent: AgentContext, project: Project) -> None:
    written = agent.files.write(
        [
            {"path": "src/main.py", "content": "print(1)\n", "executable": True},
            {"path": "logo.png", "content": "AP8=", "encoding": "base64"},
        ]
    )
    assert written == {"written": ["src/main.py", "logo.png"]}
    assert agent.files.list() == [
        {"path": "logo.png", "size": 2, "executable": False},
        {"path": "src/main.py", "size": 9, "executable": True},
    ]
    assert agent.files.read("src/main.py")["content"] == "print(1)\n"
    assert agent.files.read("logo.png") == {"path": "logo.png", "content": "AP8=", "encoding": "base64", "size": 2}
    assert agent.files.diff(["src/main.py"])["patch"].endswith("+print(1)\n")
    made = agent.files.commit()
    assert (made["total_files"], made["changed"]) == (2, True)
    assert agent.files.diff() == {"changes": [], "patch": ""}
    assert agent.files.delete(["src"]) == {"deleted": ["src/main.py"]}
    assert agent.files.check_out()["commit"] == made["commit"]
    assert agent.files.diff()["changes"] == []
    assert [name for name, _, _ in trail()] == [
        *("files.write", "files.list", "files.read", "files.read", "files.diff", "files.commit", "files.diff"),
        *("files.delete", "files.check_out", "files.diff"),
    ]
    assert {status for _, status, _ in trail()} == {"done"}


def test_the_trail_says_who_did_what_where_and_holds_no_content(agent: AgentContext, project: Project) -> None:
    agent.files.write([{"path": "a.txt", "content": CANARY}])
    agent.files.read("a.txt")
    row = AgentAction.objects.order_by("created_at").first()
    assert row is not None
    assert (row.user, row.via, row.project_id, row.project_name) == (agent.user, "python", project.pk, "shop")
    assert row.about == {"paths": ["a.txt"]}
    assert row.completed_at is not None
    everything = json.dumps(list(AgentAction.objects.values()), default=str)
    assert CANARY not in everything


def test_a_refusal_is_recorded_with_its_reason(agent: AgentContext) -> None:
    with pytest.raises(InvalidPath):
        agent.files.write([{"path": "../x", "content": "x"}])
    with pytest.raises(NotFound):
        agent.files.read("nothing.txt")
    with pytest.raises(InvalidInput, match="at least one file"):
        agent.files.write([])
    with pytest.raises(Conflict):
        agent.files.commit()
    assert trail() == [
        ("files.write", "refused", "invalid_path"),
        ("files.read", "refused", "not_found"),
        ("files.commit", "refused", "conflict"),
    ]


def test_a_fault_is_recorded_as_one(agent: AgentContext, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError(CANARY)

    monkeypatch.setattr("backend.apps.projects.services.workspace_files.list_files", broken)
    with pytest.raises(ZeroDivisionError):
        agent.files.list()
    assert trail() == [("files.list", "failed", "ZeroDivisionError")]


def test_paths_with_nul_and_surrogates_are_refused_and_can_be_recorded(agent: AgentContext) -> None:
    for path in ("a\0b", "\ud800"):
        with pytest.raises(InvalidPath):
            agent.files.read(path)
    assert [status for _, status, _ in trail()] == ["refused", "refused"]


def everything(agent: AgentContext) -> dict[str, Any]:
    """Return what each action says to this agent: `done`, or an error's code."""

    def tried(work: Any) -> str:
        try:
            work()
        except RepomillError as error:
            return error.code
        return "done"

    return {
        "list": tried(agent.files.list),
        "read": tried(lambda: agent.files.read("a.txt")),
        "diff": tried(agent.files.diff),
        "write": tried(lambda: agent.files.write([{"path": "b.txt", "content": "b"}])),
        "delete": tried(lambda: agent.files.delete(["b.txt"])),
        "commit": tried(agent.files.commit),
        "package": tried(agent.deliveries.package),
        "export": tried(lambda: agent.deliveries.export("zip")),
    }


def test_rights_are_the_roles(agent: AgentContext, project: Project) -> None:
    agent.files.write([{"path": "a.txt", "content": "a"}])
    reading, changing, starting = ["list", "read", "diff"], ["write", "delete"], ["commit", "package", "export"]
    viewer = everything(AgentContext(user=member(project, "viewer"), project="shop"))
    assert viewer == dict.fromkeys(reading, "done") | dict.fromkeys(changing + starting, "permission_denied")
    author = everything(AgentContext(user=member(project, "author"), project=str(project.pk)))
    assert set(author.values()) == {"done"}
    stranger = everything(AgentContext(user=User.objects.create(username="stranger"), project="shop"))
    assert set(stranger.values()) == {"not_found"}
    gone = User.objects.create(username="gone", is_active=False)
    assert set(everything(AgentContext(user=gone, project="shop")).values()) == {"not_found"}
    assert set(everything(AgentContext(user=agent.user)).values()) == {"invalid_input"}


@pytest.mark.usefixtures("workflow")
def test_a_token_is_good_for_its_scopes_and_its_project_alone(agent: AgentContext, project: Project) -> None:
    agent.files.write([{"path": "a.txt", "content": "a"}])
    agent.user.grant = Grant(frozenset({Scope.READ}))
    assert everything(agent)["read"] == "done"
    assert everything(agent)["write"] == everything(agent)["commit"] == "permission_denied"
    with pytest.raises(PermissionRefused, match="scope 'run'"):
        agent.runs.start("note", {"text": "x"})
    # Its calls are good for no more: their tokens carry the grant.
    assert agent.api_caller.user.grant == agent.user.grant
    agent.user.grant = Grant(frozenset(Scope), project_id=uuid4())
    assert set(everything(agent).values()) == {"not_found"}
    with pytest.raises(PermissionRefused, match="one project alone"):
        AgentContext(user=agent.user).runs.start("note", {"text": "x"})


def test_deliveries_are_tasks_that_are_asked_for_once(agent: AgentContext) -> None:
    first = agent.deliveries.package("tar.gz", key="p1")
    assert agent.deliveries.package("tar.gz", key="p1")["task"] == first["task"]
    assert agent.deliveries.package("tar.gz")["task"] != first["task"]
    with pytest.raises(Conflict, match="names other work"):
        agent.deliveries.package("zip", key="p1")
    assert agent.deliveries.task(first["task"])["status"] == "pending"
    row = TaskExecution.objects.get(pk=first["task"])
    assert (row.method, row.arguments, row.user) == ("generation.package_project", {"format": "tar.gz"}, agent.user)


@pytest.mark.parametrize(
    ("to", "repository", "method", "arguments"),
    [
        ("zip", {}, "export.export_as_zip", {}),
        ("tar", {}, "export.export_as_tar", {"compressed": False}),
        ("git", {"repository_name": "r"}, "export.export_to_git", {"repository_name": "r"}),
        (
            "gitlab",
            {"repository_name": "r", "credential": "bot", "namespace": "a/b"},
            "export.export_to_gitlab",
            {"project_name": "r", "credential": "bot", "namespace": "a/b"},
        ),
    ],
)
def test_an_export_is_the_task_that_a_workflow_would_use(
    agent: AgentContext, to: str, repository: dict[str, Any], method: str, arguments: dict[str, Any]
) -> None:
    task = TaskExecution.objects.get(pk=agent.deliveries.export(to, **repository)["task"])
    assert (task.method, task.arguments) == (method, arguments)


@pytest.mark.parametrize(
    ("to", "repository"),
    [
        ("rar", {}),
        ("zip", {"repository_name": "r"}),
        ("github", {"repository_name": "r"}),
        ("git", {}),
        ("git", {"repository_name": "r", "organization": "o"}),
        ("github", {"repository_name": "r", "github_token": CANARY}),
    ],
)
def test_an_export_that_makes_no_sense_starts_nothing(agent: AgentContext, to: str, repository: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        agent.deliveries.export(to, **repository)
    assert CANARY not in json.dumps(caught.value.as_json())
    assert TaskExecution.objects.count() == 0
    assert CANARY not in json.dumps(list(AgentAction.objects.values()), default=str)


@pytest.fixture
def workflow(db: None) -> None:
    save_definition(check_definition(DEFINITION))


@pytest.mark.usefixtures("workflow")
def test_a_run_is_started_looked_at_and_controlled(agent: AgentContext, project: Project) -> None:
    (known,) = agent.runs.workflows()
    assert (known["workflow"], known["version"], known["steps"]) == ("note", 1, ["files"])
    assert known["inputs"]["required"] == ["text"]
    started = agent.runs.start("note", {"text": CANARY}, key="r1")
    assert agent.runs.start("note", {"text": CANARY}, key="r1") == {**started, "replayed": True}
    with pytest.raises(IdempotencyKeyReused):
        agent.runs.start("note", {"text": "other"}, key="r1")
    assert WorkflowExecution.objects.count() == 1
    execution = WorkflowExecution.objects.get()
    assert (execution.project_id, execution.input_data["project"]) == (project.pk, str(project.pk))

    seen = agent.runs.look(started["run"])
    assert (seen["status"], seen["ended"], seen["steps"][0]["status"]) == ("running", False, "running")
    assert [each["kind"] for each in seen["events"]][:1] == ["execution_started"]
    assert agent.runs.look(started["run"], after=seen["next"])["events"] == []
    assert agent.runs.result(started["run"], "files")["status"] == "running"
    with pytest.raises(NotFound, match="no step"):
        agent.runs.result(started["run"], "nothing")
    assert agent.runs.control(started["run"], "pause")["status"] == "paused"
    with pytest.raises(Conflict):
        agent.runs.control(started["run"], "pause")
    assert agent.runs.control(started["run"], "cancel")["status"] == "cancelled"
    assert agent.runs.look(started["run"])["ended"]
    assert AgentAction.objects.filter(project_id=project.pk, action__startswith="runs.").count() == 11
    assert CANARY not in json.dumps(list(AgentAction.objects.values()), default=str)


@pytest.mark.usefixtures("workflow")
def test_of_each_workflow_its_newest_version_alone_is_read(agent: AgentContext) -> None:
    for number in range(2, 6):
        save_definition(check_definition({**DEFINITION, "description": f"Wording {number}."}))
    save_definition(check_definition({**DEFINITION, "name": "another"}))
    read: list[WorkflowVersion] = []

    def note(sender: Any, instance: WorkflowVersion, **_: Any) -> None:
        read.append(instance)

    post_init.connect(note, sender=WorkflowVersion)
    try:
        found = agent.runs.workflows()
    finally:
        post_init.disconnect(note, sender=WorkflowVersion)
    assert [(each["workflow"], each["version"]) for each in found] == [("another", 1), ("note", 5)]
    assert found[1]["description"] == "Wording 5."
    assert len(read) == 2


@pytest.mark.usefixtures("workflow")
def test_who_looks_at_a_run_again_and_again_has_no_results_read(agent: AgentContext) -> None:
    run = agent.runs.start("note", {"text": "x"})["run"]
    StepExecution.objects.update(status="completed", result={"large": CANARY})
    with CaptureQueriesContext(connection) as queries:
        agent.runs.look(run, noted=False)
    assert not [each["sql"] for each in queries if '"workflows_stepexecution"."result"' in each["sql"]]
    assert agent.runs.result(run, "files")["result"] == {"large": CANARY}


@pytest.mark.usefixtures("workflow")
def test_who_follows_a_run_has_seen_all_its_events_when_it_is_said_to_have_ended(agent: AgentContext) -> None:
    run = agent.runs.start("note", {"text": "x"})["run"]
    events = (ExecutionEvent(execution_id=run, sequence=number, kind="x") for number in range(3, 500))
    ExecutionEvent.objects.bulk_create(events)
    agent.runs.control(run, "cancel")
    seen: list[int] = []
    state: dict[str, Any] = {"next": 0, "ended": False}
    while not state["ended"]:
        state = agent.runs.look(run, after=state["next"])
        seen += [event["number"] for event in state["events"]]
    assert state["events"][-1]["kind"] == "execution_cancelled"
    assert seen == list(range(1, seen[-1] + 1))
    assert TOOLS["read_run"].work(agent, {"run": run})["ended"]


@pytest.mark.usefixtures("workflow")
def test_what_a_run_would_do_is_told_and_nothing_is_done(agent: AgentContext, project: Project) -> None:
    found = agent.runs.dry_run("note", {"text": CANARY})
    assert (found["workflow"], found["project"], found["outcome"]) == ("note", project.slug, "completed")
    (file,) = found["files"]["files"]
    assert (file["status"], "content" in file, "diff" in file) == ("added", False, False)
    (whole,) = agent.runs.dry_run("note", {"text": CANARY}, contents=True)["files"]["files"]
    assert CANARY in whole["content"]
    assert not WorkflowExecution.objects.exists()
    rows = AgentAction.objects.filter(action="runs.dry_run")
    assert [(row.project_id, row.status, row.about) for row in rows] == [(project.pk, "done", {"workflow": "note"})] * 2
    with pytest.raises(InvalidInput):
        agent.runs.dry_run("note", {"text": 7})
    with pytest.raises(NotFound):
        agent.runs.dry_run("nothing", {})


@pytest.mark.usefixtures("workflow")
def test_dry_runs_by_a_tool_are_counted_with_those_over_rest(agent: AgentContext, settings: Any) -> None:
    settings.API_RATES = {**settings.API_RATES, "dry_run": Rate(2, 3600)}
    given = {"workflow": "note", "inputs": {"text": "x"}}
    assert [TOOLS["dry_run"].work(agent, given)["outcome"] for _ in range(2)] == ["completed"] * 2
    with pytest.raises(RateLimited):
        TOOLS["dry_run"].work(agent, given)


@pytest.mark.usefixtures("workflow")
def test_what_cannot_be_started_is_not(agent: AgentContext) -> None:
    with pytest.raises(NotFound, match="no workflow 'nothing'"):
        agent.runs.start("nothing", {})
    with pytest.raises(NotFound, match="no version 7"):
        agent.runs.start("note", {"text": "x"}, version=7)
    with pytest.raises(InvalidInput):
        agent.runs.start("note", {"text": 7}, key="k")
    with pytest.raises(InvalidInput, match="printable"):
        agent.runs.start("note", {"text": "x"}, key="a\nb")
    assert WorkflowExecution.objects.count() == 0
    # A refusal does not use up the key.
    assert agent.runs.start("note", {"text": "x"}, key="k")["status"] == "running"


@pytest.mark.usefixtures("workflow")
def test_a_strangers_run_and_task_are_not_found(agent: AgentContext, project: Project) -> None:
    run, task = agent.runs.start("note", {"text": "x"})["run"], agent.deliveries.package()["task"]
    stranger = AgentContext(user=User.objects.create(username="stranger"))
    viewer = AgentContext(user=member(project, "viewer"))
    for identifier in (run, str(uuid4()), "nonsense", "a\0"):
        with pytest.raises(NotFound):
            stranger.runs.look(identifier)
        with pytest.raises(NotFound):
            stranger.runs.control(identifier, "cancel")
    with pytest.raises(NotFound):
        stranger.deliveries.task(task)
    assert viewer.runs.look(run)["status"] == "running"
    with pytest.raises(PermissionRefused):
        viewer.runs.control(run, "cancel")


def test_who_sees_the_trail(agent: AgentContext, project: Project) -> None:
    agent.files.list()
    stranger = User.objects.create(username="stranger")
    with pytest.raises(NotFound):
        AgentContext(user=stranger, project="shop").files.list()
    assert [row.action for row in actions_on(user=member(project, "viewer"), project=project)] == ["files.list"]
    # What somebody was refused is theirs, and not the project's.
    assert [row.status for row in visible_actions(user=stranger)] == ["refused"]
    operator = User.objects.create(username="op", is_superuser=True)
    assert visible_actions(user=operator).count() == 2
    operator.is_active = False
    assert visible_actions(user=operator).count() == 0


def test_the_api_caller_is_the_users_and_is_closed(user: User) -> None:
    async def use() -> Any:
        async with AgentContext(user=user, idempotency_key="k") as agent:
            assert agent.api_caller is agent.api_caller
            return agent.api_caller

    caller = asyncio.run(use())
    assert caller.user == user
    assert caller.client.is_closed


def test_a_link_is_for_an_archive_that_the_user_may_see(agent: AgentContext, project: Project) -> None:
    agent.files.write([{"path": "a.txt", "content": "a"}])
    agent.files.commit()
    delivered = deliver_archive(key="k", project=project, user=agent.user, execution_id=None, format="zip")
    link = agent.deliveries.link(delivered["export"], seconds=60)
    assert link["url"].startswith("http")
    for seconds in (0, 86_401):
        with pytest.raises(InvalidInput):
            agent.deliveries.link(delivered["export"], seconds=seconds)
    for export in (delivered["export"], str(uuid4()), "nonsense"):
        with pytest.raises(NotFound):
            AgentContext(user=User.objects.get_or_create(username="stranger")[0]).deliveries.link(export)
    row = AgentAction.objects.filter(action="link", status="done").get()
    assert (row.project_id, row.about) == (project.pk, {"export": delivered["export"], "seconds": 60})
    # Whoever has the link can download: it is not kept.
    assert link["url"].rpartition("/")[2] not in json.dumps(list(AgentAction.objects.values()), default=str)
