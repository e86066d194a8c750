"""A task or step type that was renamed still answers to its old name, wherever that comes in."""

from __future__ import annotations

from uuid import uuid4

import pytest

from backend.apps.authentication.models import User
from backend.apps.workflows import former_names, publishing, step_types
from backend.apps.workflows.definitions.check import read_definition
from backend.apps.workflows.execution.claim import ClaimedTask, claim
from backend.apps.workflows.execution_selectors import list_tasks
from backend.apps.workflows.former_names import current_description, current_name, names_of
from backend.apps.workflows.methods import known_methods
from backend.apps.workflows.models import TaskExecution
from backend.apps.workflows.services import enqueue_method, save_definition, start_execution
from backend.apps.workflows.step_types import Link, StepType
from backend.config.environment import ROOT
from backend.errors import ConfigurationError
from backend.metrics.increments import Event, count

OLD, NEW = "generation.make_file", "generation.write_file"
ARGUMENTS = {"path": "a.md", "content": "x"}
LEDGER = ROOT / "tests" / "unit" / "workflows" / "task_names.txt"


@pytest.fixture
def renamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """`generation.write_file` was called `generation.make_file` in the version before."""
    monkeypatch.setitem(former_names.FORMER_NAMES, OLD, NEW)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[TaskExecution]:
    """Tasks that were sent."""
    tasks: list[TaskExecution] = []
    monkeypatch.setattr("backend.apps.workflows.execution.chains.publish_chain", lambda chain: tasks.extend(chain))
    return tasks


def old_row(user: User) -> TaskExecution:
    """A row as the version before wrote it."""
    task = TaskExecution.objects.create(
        key="old", method=OLD, arguments=ARGUMENTS, user=user, description=f"shop · {OLD}", ready=True
    )
    with_old = TaskExecution.objects.filter(pk=task.pk, method=OLD)
    assert with_old.exists()
    return task


def test_every_name_that_there_ever_was_still_has_a_task():
    """The ledger is only ever added to. Whoever renames a task finds here that its old name must be kept."""
    released = LEDGER.read_text().split()
    assert released == sorted(set(released))
    missing = [name for name in released if current_name(name) not in known_methods()]
    assert not missing, "add the old name and the new one to FORMER_NAMES"
    assert not set(known_methods()) - set(released), f"a new task's name is permanent: add it to {LEDGER.name}"


def test_the_table_leads_from_names_that_are_free_to_tasks_that_there_are():
    known = known_methods()
    for old, new in former_names.FORMER_NAMES.items():
        assert old not in known
        assert new in known, "a task that was renamed twice: both old names lead to the newest"


@pytest.mark.usefixtures("renamed")
def test_names():
    assert (current_name(OLD), current_name(NEW), current_name("strange")) == (NEW, NEW, "strange")
    assert names_of(NEW) == names_of(OLD) == [NEW, OLD]
    assert current_description(f"shop · notes · {OLD}") == f"shop · notes · {NEW}"
    assert current_description("") == ""


@pytest.mark.django_db
def test_a_row_of_the_version_before_is_read_claimed_and_sent_under_the_new_name(renamed):
    task = old_row(User.objects.create_user("ada"))
    again = TaskExecution.objects.get(pk=task.pk)
    assert again.method == NEW
    assert list(TaskExecution.objects.values_list("method", flat=True)) == [NEW]
    signature = publishing._signature(again)
    assert signature.task == NEW
    assert signature.options["argsrepr"] == f"shop · {NEW}"
    claimed = claim(task.pk, worker="w", now=task.created_at)
    assert isinstance(claimed, ClaimedTask)
    assert claimed.method == NEW


@pytest.mark.django_db
def test_lists_find_it_by_either_name(renamed):
    task = old_row(User.objects.create_superuser("ada"))
    for name in (OLD, NEW):
        assert [found.pk for found in list_tasks(user=task.user, method=name)] == [task.pk]


@pytest.mark.django_db(transaction=True)
def test_a_client_that_knows_the_old_name_gets_the_task(renamed, sent):
    user = User.objects.create_user("ada")
    task = enqueue_method(method=OLD, arguments=ARGUMENTS, key="k", user=user)
    assert task.method == NEW
    assert TaskExecution.objects.filter(method=NEW, description=f"no project · {NEW}").exists()
    # The same key, whichever name it is asked for by, is the same work.
    assert enqueue_method(method=NEW, arguments=ARGUMENTS, key="k", user=user).pk == task.pk
    assert [one.pk for one in sent] == [task.pk]


def test_an_attempt_that_was_written_down_before_is_counted_under_the_new_name(renamed):
    total = count([Event(uuid4(), "task_completed", "s", {"method": OLD})], step_types={})
    assert total["repomill_attempts_total", (NEW, "completed")] == 1


@pytest.mark.django_db(transaction=True)
def test_a_step_type_of_another_package_may_name_a_task_by_its_old_name(renamed, sent, monkeypatch):
    made = StepType("write_note", {}, lambda config: [Link(OLD, ARGUMENTS)], former_names=("note",))
    monkeypatch.setattr(step_types, "_registered", dict(step_types._registered))
    monkeypatch.setattr(step_types, "_renamed", {})
    step_types.register(made)
    # The definition, too, was written for the version before.
    definition = read_definition("name: n\nsteps:\n  - {id: a, type: note, config: {}}\n")
    start_execution(version=save_definition(definition), inputs={}, user=User.objects.create_user("ada"))
    assert [(task.method, task.description) for task in sent] == [(NEW, f"n · a · {NEW}")]
    assert "note" not in step_types.names()
    with pytest.raises(ConfigurationError):
        step_types.register(StepType("note", {}, lambda config: []))
    with pytest.raises(ConfigurationError):
        step_types.register(StepType("other", {}, lambda config: [], former_names=("api_call",)))
