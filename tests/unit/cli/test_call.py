"""`repomill call`, in this process."""

from __future__ import annotations

import json

import pytest

from backend.apps.authentication.models import User
from backend.apps.projects.services.planning import create_project
from backend.apps.workflows.methods import check_call, known_methods
from backend.apps.workflows.models import TaskExecution
from backend.cli.app import main
from backend.cli.commands import call
from backend.errors import InvalidInput, RemoteRefused
from tests.unit.cli.worker import Worker
from workers.service_task import methods

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def operator() -> User:
    return User.objects.create_superuser("operator", password="long enough to pass")


@pytest.fixture(autouse=True)
def worker(monkeypatch) -> Worker:
    found = Worker(works=True)
    monkeypatch.setattr("backend.apps.workflows.execution.chains.publish_chain", found.publish)
    monkeypatch.setattr(call, "PAUSE", 0)
    return found


def run(capsys, *arguments: str, code: int = 0) -> tuple[str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["call", *arguments])
    assert ended.value.code == code
    said = capsys.readouterr()
    return said.out, said.err


def test_a_method_is_done_and_its_result_shown(operator, capsys, tmp_path):
    project = create_project(user=operator, name="Shop")
    text = tmp_path / "text"
    text.write_text("hello")
    given = ("generation.write_file", "-p", project.slug, "-a", "path=a.txt", "-a", f"content=@{text}", "--key", "k/1")
    shown = json.loads(run(capsys, *given, "--follow", "--json")[0])
    assert (shown["status"], shown["result"], shown["key"]) == ("completed", {"did": "generation.write_file"}, "k/1")
    task = TaskExecution.objects.get()
    assert task.arguments == {"path": "a.txt", "content": "hello"}
    assert (task.project_id, task.user_id, task.description) == (
        project.pk,
        operator.pk,
        f"{project.slug} · generation.write_file",
    )
    # The same key once more is the same task, and shows how it stands.
    assert json.loads(run(capsys, *given, "--json")[0])["id"] == shown["id"]
    assert TaskExecution.objects.count() == 1


def test_arguments_that_are_no_texts_come_from_a_file(operator, capsys, tmp_path):
    file = tmp_path / "arguments.json"
    file.write_text('{"structure": {"src": {"a.py": ""}}}')
    out, _ = run(capsys, "generation.generate_project_structure", "--arguments", str(file), "-f")
    assert "generation.generate_project_structure completed" in out
    assert TaskExecution.objects.get().arguments == {"structure": {"src": {"a.py": ""}}}


def test_a_failure_is_shown_and_is_the_exit_code(operator, worker, capsys):
    def refuses(claimed):
        raise RemoteRefused("It says no.", hint="Ask it kindly.")

    worker.service = refuses
    out, _ = run(capsys, "generation.cleanup", "--follow", code=1)
    assert "generation.cleanup failed" in out
    assert "It says no." in out
    assert "Ask it kindly." in out


def test_an_interrupted_wait_says_how_to_go_on(operator, worker, capsys, monkeypatch):
    def interrupted(seconds):
        raise KeyboardInterrupt

    worker.works = False
    monkeypatch.setattr("backend.cli.commands.call.time.sleep", interrupted)
    _, err = run(capsys, "generation.cleanup", "--key", "mine", "--follow", code=130)
    assert "--key mine" in err
    assert TaskExecution.objects.get().status == "pending"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ["Say which method", "repomill call --list"]),
        (("generation.write_fil",), ["no method 'generation.write_fil'", "generation.write_file"]),
        (("generation.write_file", "-a", "path=x"), ["needs the argument 'content'"]),
        (("generation.cleanup", "-a", "path=x"), ["takes no argument 'path'"]),
        (("generation.cleanup", "--arguments", "LIST"), ["holds no JSON object"]),
        (("generation.cleanup", "--arguments", "BROKEN"), ["is not JSON", "line 1"]),
        (("generation.cleanup", "--arguments", "MISSING"), ["cannot be read"]),
    ],
)
def test_bad_input_records_nothing(operator, capsys, tmp_path, arguments, words):
    (tmp_path / "LIST").write_text("[]")
    (tmp_path / "BROKEN").write_text('{"a": }')
    given = [str(tmp_path / word) if word.isupper() else word for word in arguments]
    _, err = run(capsys, *given, code=3)
    for word in words:
        assert word in err
    assert not TaskExecution.objects.exists()


def test_the_list_names_every_method_and_what_it_takes(capsys):
    listed = {method["name"]: method for method in json.loads(run(capsys, "--list", "--json")[0])}
    assert listed.keys() == methods.keys() == known_methods().keys()
    assert listed["generation.write_file"]["required"] == ["path", "content"]
    assert listed["generation.write_file"]["optional"] == ["encoding"]
    assert all(method["summary"].endswith(".") for method in listed.values())
    out, _ = run(capsys, "--list")
    assert "generation.write_file path content [encoding]" in out


def test_a_method_that_takes_more_takes_more():
    check_call("agents.create_story", {"project_id": "p", "title": "t", "description": "", "points": 3})
    with pytest.raises(InvalidInput):
        check_call("agents.create_story", {"title": "t", "points": 3})
