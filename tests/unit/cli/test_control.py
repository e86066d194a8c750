"""`repomill pause`, `resume`, `cancel`, `retry`, `rerun` and `resolve`, in this process."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from uuid import UUID

import pytest
from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.projects.models import Project
from backend.apps.workflows.execution import write_back
from backend.apps.workflows.execution.claim import ClaimedTask, claim
from backend.apps.workflows.execution.lost_messages import send_again
from backend.apps.workflows.models import TaskExecution, WorkflowExecution
from backend.apps.workflows.publishing import PATIENCE
from backend.apps.workflows.selectors import find_execution
from backend.cli.app import load_command, main
from backend.config.environment import ROOT
from backend.errors import InDoubt, RemoteRefused
from tests.unit.cli.worker import Worker

pytestmark = pytest.mark.django_db(transaction=True)

WORKFLOW = """\
name: two-steps
inputs: {type: object, required: [name], properties: {name: {type: string}, project: {type: string}}}
steps:
  - {id: first, type: file_generation, config: {readme: "# ${{ inputs.name }}"}}
  - {id: second, type: api_call, config: {method: GET, endpoint: /projects/}}
outputs: {name: "${{ inputs.name }}"}
"""


@pytest.fixture(autouse=True)
def worker(monkeypatch) -> Worker:
    found = Worker(works=False)
    monkeypatch.setattr("backend.apps.workflows.execution.chains.publish_chain", found.publish)
    monkeypatch.setattr("backend.cli.following.PAUSE", 0)
    return found


@pytest.fixture(autouse=True)
def operator() -> User:
    return User.objects.create_superuser("operator", password="long enough to pass")


@pytest.fixture
def cli(capsys):
    """Runs `repomill ...` and returns what it printed, on one line; its exit code must be `code`."""

    def run(*arguments: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        printed = capsys.readouterr()
        assert (ended.value.code or 0) == code, printed.out + printed.err
        return " ".join((printed.out + printed.err).split())

    return run


@pytest.fixture
def started(cli, tmp_path: Path) -> WorkflowExecution:
    path = tmp_path / "w.yaml"
    path.write_text(WORKFLOW)
    cli("run", str(path), "--input", "name=x")
    return find_execution("last")


def begun() -> ClaimedTask:
    task = TaskExecution.objects.get()
    found = claim(task.pk, worker="w1", now=timezone.now())
    assert isinstance(found, ClaimedTask)
    return found


def failing(worker: Worker, error: Exception) -> None:
    def fail(claimed):
        raise error

    worker.works = True
    worker.service = fail


def test_a_run_is_paused_and_goes_on(cli, started, worker):
    assert "Paused" in cli("pause", "last")
    assert "is paused already" in cli("pause", "last", code=5)
    assert "paused" in cli("show", "last")
    assert "execution paused by operator" in cli("show", "last", "--events")
    assert "paused" in cli("executions")
    assert json.loads(cli("show", "last", "--json"))["paused"] is True
    worker.works = True
    assert "completed" in cli("resume", str(started.pk)[:8], "--follow")
    assert "has completed" in (said := cli("resume", "last", code=5))
    assert "repomill rerun RUN" in said


def test_a_run_that_waits_is_cancelled_at_once(cli, started):
    told = json.loads(cli("cancel", "last", "--json"))
    assert (told["status"], told["cancelling"]) == ("cancelled", False)
    shown = cli("show", "last")
    assert "Cancelled by operator." in shown
    assert "Failed" not in shown
    assert "cancelled already" in cli("cancel", "last", code=5)


def test_a_run_that_works_is_shown_as_cancelling_until_it_has_stopped(cli, started):
    running = begun()
    assert "Cancelling" in cli("cancel", "last")
    shown = cli("show", "last")
    assert "cancelling" in shown
    assert "stopping: Cancelled by operator." in shown
    assert "is being cancelled already" in cli("cancel", "last", code=5)
    write_back.stop(running)
    assert "Cancelled by operator." in cli("show", "last", "--follow", code=1)
    events = cli("show", "last", "--events")
    assert "task cancelled first generation.generate, attempt 1" in events


def test_the_history_is_a_part_of_the_json_where_it_is_asked_for(cli, started):
    assert "events" not in json.loads(cli("show", "last", "--json"))
    first, *rest = json.loads(cli("show", "last", "--json", "--events"))["events"]
    assert (first["sequence"], first["kind"]) == (1, "execution_started")
    assert {"step_id", "task_id", "data", "created_at"} < first.keys()
    assert [event["sequence"] for event in rest] == list(range(2, len(rest) + 2))
    assert rest


def test_the_history_says_that_a_message_was_lost(cli, started, worker, monkeypatch):
    for name, fake in (("publish_chain", worker.publish), ("fronts", dict)):
        monkeypatch.setattr(f"backend.apps.workflows.execution.lost_messages.{name}", fake)
    assert send_again(now=timezone.now() + 2 * PATIENCE) == 1
    told = "message lost first generation.generate: nobody answered its message; it is sent again"
    assert told in cli("show", "last", "--events")


def test_one_step_is_cancelled_and_done_again(cli, started, worker):
    assert "Cancelled the step first" in cli("cancel", "last", "--step", "first")
    assert find_execution("last").status == "failed"
    worker.works = True
    assert "completed" in cli("retry", "last", "--step", "first", "--follow")


def test_a_failed_run_goes_on_where_it_failed(cli, started, worker):
    cli("pause", "last")
    failing(worker, RemoteRefused("not today"))
    cli("resume", "last", "--follow", code=1)
    worker.service = lambda claimed: {}
    assert "is done again" in cli("retry", "last", "--step", "first")
    assert find_execution("last").status == "completed"
    assert "execution resumed by operator" in cli("show", "last", "--events")


def test_a_resumed_failure_names_its_steps(cli, started, worker):
    cli("pause", "last")
    failing(worker, RemoteRefused("not today"))
    cli("resume", "last")
    worker.service = lambda claimed: {}
    assert "goes on" in cli("resume", "last")
    assert "execution resumed by operator: first" in cli("show", "last", "--events")


def test_a_rerun_takes_the_inputs_that_differ(cli, started, worker):
    worker.works = True
    out = json.loads(cli("rerun", str(started.pk)[:8], "--input", "name=y", "--json"))
    assert out["id"] != str(started.pk)
    assert WorkflowExecution.objects.get(pk=out["id"]).output_data == {"name": "y"}
    assert "same project" in cli("rerun", "last", "--input", "project=p", code=3)
    assert "no user" in cli("rerun", "last", "--user", "nobody", code=4)


def test_a_rerun_is_for_whom_it_ran_before_with_the_rights_of_now(cli, started, operator):
    other = User.objects.create_user("other", password="long enough to pass")
    project = Project.objects.create(name="Shop", slug="shop", owner=operator)
    WorkflowExecution.objects.update(user=other, project_id=project.pk)
    assert "no project" in cli("rerun", "last", code=4).lower()
    project.owner = other
    project.save()
    cli("rerun", str(started.pk))
    assert find_execution("last").user == other


@pytest.fixture
def doubtful(cli, started, worker) -> str:
    cli("pause", "last")
    failing(worker, InDoubt())
    cli("resume", "last")
    worker.service = lambda claimed: {"did": claimed.method}
    return str(TaskExecution.objects.get(status="in_doubt").pk)


@pytest.mark.parametrize(("how", "result"), [(("--done", "--result", '{"n": 1}'), {"n": 1}), (("--done",), None)])
def test_what_was_done_is_settled_with_its_result(cli, doubtful, how, result):
    assert f"repomill resolve {doubtful[:8]} --done, or --retry" in cli("show", "last")
    assert "is completed" in cli("resolve", doubtful[:8], *how)
    execution = find_execution("last")
    assert execution.status == "completed"
    assert TaskExecution.objects.get(pk=doubtful).result == result
    assert "task resolved first done, says operator" in cli("show", "last", "--events")


def test_what_was_not_done_is_done_again(cli, doubtful, worker):
    worker.works = False
    told = json.loads(cli("resolve", doubtful, "--retry", "--json"))
    assert told == {"id": doubtful, "status": "pending", "execution": str(find_execution("last").pk)}
    assert "only one in doubt" in cli("resolve", doubtful, "--done", code=5)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("pause", "zz"), 4, "no execution"),
        (("resume", "last"), 5, "neither paused nor failed"),
        (("cancel", "last", "--step", "third"), 4, "no step 'third'"),
        (("cancel", "last", "--user", "nobody"), 4, "no user"),
        (("retry", "last", "--step", "first"), 5, "only a failed or cancelled one"),
        (("retry", "last"), 2, "--step"),
        (("rerun", "last", "--input", "name"), 3, "name=value"),
        (("resolve", "zz", "--done"), 4, "no task"),
        (("resolve", "zz"), 3, "either --done or --retry"),
        (("resolve", "zz", "--done", "--retry"), 3, "either --done or --retry"),
        (("resolve", "zz", "--retry", "--result", "1"), 3, "belongs to what is done"),
        (("resolve", "zz", "--done", "--result", "{"), 3, "not JSON"),
        (("resolve", "zz", "--done", "--result", "[" * 100_000), 3, "not JSON"),
        (("resolve", "zz", "--done", "--result", "[NaN]"), 3, "not JSON"),
    ],
)
def test_mistakes_change_nothing(cli, started, arguments, code, words):
    before = started.events.count()
    assert words in cli(*arguments, code=code)
    assert started.events.count() == before
    assert find_execution("last").pk == started.pk


def test_the_ids_of_several_tasks_can_begin_alike(cli, started):
    task = TaskExecution.objects.get()
    TaskExecution.objects.create(pk=UUID(int=task.pk.int ^ 1), key="k", user=task.user)
    assert "several tasks" in cli("resolve", str(task.pk)[:8], "--done", code=5)


def test_the_commands_of_the_readme_are_what_the_command_line_takes():
    readme = (ROOT / "README.md").read_text()
    section = readme.split("## Stop it, mend it")[1].split("```")[1]
    lines = [shlex.split(line, comments=True)[1:] for line in section.splitlines() if line]
    assert {name for name, *_ in lines} == {"pause", "resume", "cancel", "retry", "rerun", "resolve"}
    for name, *arguments in lines:
        load_command(name).make_context(name, arguments)
