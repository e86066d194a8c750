"""`repomill run`, `show`, `executions` and `projects`, in this process."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from rich.console import Console

from backend.apps.authentication.models import User
from backend.apps.projects.models import Project
from backend.apps.workflows.models import TaskExecution, WorkflowExecution
from backend.apps.workflows.selectors import find_execution
from backend.cli import following
from backend.cli.app import main
from backend.cli.execution_view import execution_view, seconds, size
from backend.cli.inputs import read_inputs
from backend.errors import InvalidInput, RemoteRefused, RemoteUnreachable
from tests.unit.cli.worker import Worker

pytestmark = pytest.mark.django_db(transaction=True)

WORKFLOW = """\
name: two-steps
inputs:
  type: object
  required: [name]
  properties: {name: {type: string}, count: {type: integer, default: 1}, project: {type: string}}
steps:
  - id: first
    type: file_generation
    config: {readme: "# ${{ inputs.name }}"}
  - id: second
    type: api_call
    condition: ${{ inputs.count > 1 }}
    config: {method: GET, endpoint: /projects/}
outputs: {name: "${{ inputs.name }}"}
"""


@pytest.fixture
def workflow(tmp_path: Path) -> str:
    path = tmp_path / "w.yaml"
    path.write_text(WORKFLOW)
    return str(path)


@pytest.fixture
def operator() -> User:
    return User.objects.create_superuser("operator", password="long enough to pass")


@pytest.fixture(autouse=True)
def worker(monkeypatch) -> Worker:
    found = Worker(works=True)
    monkeypatch.setattr("backend.apps.workflows.execution.chains.publish_chain", found.publish)
    monkeypatch.setattr("backend.cli.following.PAUSE", 0)
    return found


@pytest.fixture
def cli(capsys):
    """Runs `repomill ...` and returns what it printed; its exit code must be `code`."""

    def run(*arguments: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        printed = capsys.readouterr()
        assert (ended.value.code or 0) == code, printed.out + printed.err
        return str(printed.out if code == 0 else printed.out + printed.err)

    return run


def test_a_run_is_started_followed_and_shown(cli, operator, workflow):
    project = Project.objects.create(name="Shop", slug="shop", owner=operator)
    out = cli("run", workflow, "--project", "shop", "--input", "name=cart", "--follow")
    assert "completed" in out
    assert "its condition" in out
    execution = find_execution("last")
    assert execution.project_id == project.pk
    assert execution.input_data == {"name": "cart", "count": 1, "project": str(project.pk)}

    shown = json.loads(cli("show", "last", "--json"))
    assert shown["outputs"] == {"name": "cart"}
    assert [step["status"] for step in shown["steps"]] == ["completed", "skipped"]
    assert shown["steps"][0]["tasks"][0]["attempts"] == 1
    events = cli("show", str(execution.pk)[:8], "--events")
    assert "task completed" in events
    assert "execution completed" in events
    assert "two-steps v1" in cli("executions")
    listed = json.loads(cli("executions", "--status", "completed", "--json"))
    assert [row["id"] for row in listed] == [str(execution.pk)]


def test_a_run_without_follow_says_how_to_watch_it(cli, operator, workflow, worker):
    worker.works = False
    assert "--follow" in cli("run", workflow, "--input", "name=x")
    started = json.loads(cli("run", workflow, "--input", "name=x", "--input", "count=3", "--json"))
    assert started["status"] == "running"
    assert WorkflowExecution.objects.get(pk=started["id"]).input_data["count"] == 3


def test_a_failed_run_has_exit_code_1_and_its_reason(cli, operator, workflow, worker):
    def refuse(claimed):
        raise RemoteRefused("remote: not today", hint="Ask tomorrow.")

    worker.service = refuse
    out = cli("run", workflow, "--input", "name=x", "--follow", code=1)
    assert "remote_refused: remote: not today" in out
    assert "Ask tomorrow." in out
    shown = json.loads(cli("show", "last", "--follow", "--json", code=1).split("\n}\n")[0] + "\n}")
    assert shown["error"]["code"] == "remote_refused"


def test_a_waiting_task_says_when_it_is_tried_again(cli, operator, workflow, worker):
    def unreachable(claimed):
        raise RemoteUnreachable("Connection refused")

    worker.service = unreachable
    cli("run", workflow, "--input", "name=x")
    out = cli("show", "last", "--events")
    assert "again in" in out
    assert "Again in" in out
    assert "Connection refused" in out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("run", "{file}"), 3, "'name' is missing"),
        (("run", "{file}", "--input", "name"), 3, "name=value"),
        (("run", "{file}", "--input", "name=x", "--input", "name=y"), 3, "twice"),
        (("run", "{file}", "--input", "name=x", "--input", "count=many"), 3, "not JSON"),
        (("run", "{file}", "--input", "name=@missing"), 3, "cannot be read"),
        (("run", "{file}", "--input", "name=x", "--project", "nowhere"), 4, "no project"),
        (("run", "{file}", "--input", "name=x", "--user", "nobody"), 4, "no user"),
        (("run", "missing.yaml"), 3, "cannot be read"),
        (("show", "last"), 4, "no execution"),
        (("show", "zz"), 4, "no execution"),
        (("executions", "--status", "dancing"), 3, "no status"),
    ],
)
def test_mistakes_change_nothing(cli, operator, workflow, arguments, code, words):
    out = cli(*[argument.format(file=workflow) for argument in arguments], code=code)
    assert words in " ".join(out.split())
    assert not WorkflowExecution.objects.exists()


def test_without_an_operator_the_message_says_where_it_comes_from(cli, workflow):
    assert "repomill up" in cli("run", workflow, "--input", "name=x", code=4)


def test_projects(cli, operator):
    assert "Made the project my-shop" in cli("projects", "create", "My shop")
    assert json.loads(cli("projects", "create", "Other", "--json"))["slug"] == "other"
    assert [row["slug"] for row in json.loads(cli("projects", "list", "--json"))] == ["my-shop", "other"]
    assert "my-shop" in cli("projects", "list")
    assert "No executions" in cli("executions")


def test_what_others_have_written_cannot_steer_the_terminal(cli, operator, workflow, worker):
    steering = "\x1b[2Jgone"
    Project.objects.create(name=f"Shop {steering}", slug="shop", owner=operator)
    assert "Shop \\x1b[2Jgone" in cli("projects", "list")

    text = WORKFLOW.replace("  - id: first\n", '  - id: first\n    name: "The \\e[2Jgone"\n')
    Path(workflow).write_text(text)
    out = cli("run", workflow, "--project", "shop", "--input", f"name=one\n{steering}", "--follow")
    assert "The \\x1b[2Jgone" in out
    # An output of several lines stays one.
    assert "one\n\\x1b[2Jgone" in out

    def refuse(claimed):
        raise RemoteRefused(f"remote: {steering}", hint=f"Ask {steering}.")

    worker.service = refuse
    out += cli("run", workflow, "--project", "shop", "--input", "name=x", "--follow", code=1)
    out += cli("show", "last", "--events") + cli("executions")
    call = ("call", "generation.write_file", "-p", "shop", "-a", "path=a", "-a", "content=a", "--key", "k[/bold]")
    out += cli(*call, "--follow", code=1)
    assert "key k[/bold]" in out
    assert "remote: \\x1b[2Jgone" in out
    assert "Ask \\x1b[2Jgone." in out
    assert "\x1b" not in out


def test_following_warns_when_nobody_works_and_can_be_left(cli, operator, workflow, worker, monkeypatch):
    worker.works = False
    cli("run", workflow, "--input", "name=x")
    WorkflowExecution.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    looks = []

    def look(execution):
        looks.append(execution.pk)
        if len(looks) == 3:
            raise KeyboardInterrupt
        return find_execution("last")

    monkeypatch.setattr(following, "_again", look)
    out = cli("show", "last", "--follow", code=130)
    assert "No worker has taken this up yet" in " ".join(out.split())
    assert "The run goes on" in out


@pytest.mark.parametrize("terminal", [True, False])
def test_following_ends_with_the_run(cli, operator, workflow, worker, monkeypatch, terminal):
    worker.works = False
    cli("run", workflow, "--input", "name=x")
    execution = find_execution("last")
    WorkflowExecution.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    looks = []

    def look(seen):
        looks.append(seen.pk)
        if len(looks) == 2:
            worker.works = True
            worker.publish(TaskExecution.objects.filter(execution=execution))
        return find_execution(str(execution.pk))

    monkeypatch.setattr(following, "_again", look)
    console = Console(force_terminal=terminal, width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    ended = following.follow(execution, console)
    console.file.close()
    assert ended.status == "completed"
    assert "two-steps v1" in console.export_text()


def test_a_live_view_turns_while_it_runs(cli, operator, workflow, worker):
    worker.works = False
    cli("run", workflow, "--input", "name=x")
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(execution_view(find_execution("last"), live=True))
    console.file.close()
    assert "generation.generate" in console.export_text()


@pytest.mark.parametrize(
    ("span", "text"), [(0.1234, "0.12 s"), (12.4, "12 s"), (185, "3 min 5 s"), (7800, "2 h 10 min"), (-5, "0.00 s")]
)
def test_durations(span, text):
    assert seconds(timedelta(seconds=span)) == text


@pytest.mark.parametrize(
    ("count", "text"), [(312, "312 B"), (4100, "4.1 kB"), (16_000_000, "16.0 MB"), (3_200_000_000, "3.2 GB")]
)
def test_sizes(count, text):
    assert size(count) == text


def test_inputs_are_read_as_the_schema_asks(tmp_path):
    schema = {"properties": {"n": {"type": "integer"}, "t": {"type": ["string", "null"]}, "o": {"type": "object"}}}
    (tmp_path / "o.json").write_text('{"a": 1}')
    (tmp_path / "binary").write_bytes(b"\xff")
    inputs = read_inputs(["n=3", "t=plain text", "o=@" + str(tmp_path / "o.json"), "free=1=2"], schema)
    assert inputs == {"n": 3, "t": "plain text", "o": {"a": 1}, "free": "1=2"}
    with pytest.raises(InvalidInput):
        read_inputs(["free=@" + str(tmp_path / "binary")], schema)


def test_a_repeated_step_is_one_line_per_method_with_counts(cli, operator, worker, tmp_path):
    definition = tmp_path / "many.yaml"
    definition.write_text(
        "name: many\nsteps:\n  - id: files\n    type: file_generation\n    each: ${{ inputs.items }}\n"
        "    config: {readme: '${{ item }}'}\ninputs: {properties: {items: {type: array}}}\n"
    )

    def refuse_the_fourth(claimed):
        if claimed.item == 3:
            raise RemoteRefused("remote: not today")
        return {"n": claimed.item}

    items = 'items=["a", "b", "c", "d", "e"]'
    worker.works = False
    cli("run", str(definition), "--input", items)
    assert "0/5 done" in cli("show", "last")
    worker.works = True
    worker.service = refuse_the_fourth
    out = cli("run", str(definition), "--input", items, "--follow", code=1)
    assert out.count("generation.generate  ") == 1
    assert "/5 done, 1 failed" in out
    assert "Item 3: remote: not today" in out
    assert "files[3]" in cli("show", "last", "--events")
    shown = json.loads(cli("show", "last", "--json"))
    assert [task["item"] for task in shown["steps"][0]["tasks"]] == [0, 1, 2, 3, 4]


def test_an_input_that_is_not_json_names_its_line(cli, operator, workflow, tmp_path):
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{\n "a": 1,\n "a": 2}')
    out = cli("run", workflow, "--input", "name=x", "--input", f"count=@{wrong}", code=3)
    assert "'a' is given twice" in out
    assert "line 3" in out


def test_a_token_comes_from_a_file_and_is_shown_nowhere(operator, tmp_path, cli, capsys):
    token = "ghp_" + "5ecre7" * 6
    path = tmp_path / "w.yaml"
    path.write_text(
        "name: w\nsteps:\n  - {id: a, type: api_call, config: {method: POST, endpoint: /x/,"
        f" data: {{token: {token}, password: '${{{{ inputs.password }}}}'}}}}}}\n"
    )
    (tmp_path / "password").write_text(token[::-1] + "\n")
    cli("run", str(path), "-i", f"password={token}", code=3)
    assert not WorkflowExecution.objects.exists()
    said = cli("run", str(path), "-i", f"password=@{tmp_path / 'password'}", "--follow", "--json")
    said += cli("show", "last", "--json") + cli("show", "last") + capsys.readouterr().err
    assert WorkflowExecution.objects.get().status == "completed"
    for shown in (said, str(list(WorkflowExecution.objects.values())), str(list(TaskExecution.objects.values()))):
        assert token not in shown
        assert token[::-1] not in shown
