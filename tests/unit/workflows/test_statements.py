"""The statements made once: they write and read what the ORM would."""

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from backend.apps.workflows.execution import statements
from backend.apps.workflows.execution.events import History
from backend.apps.workflows.execution.run import execute
from backend.apps.workflows.models import ExecutionEvent, StepExecution, TaskExecution, WorkflowExecution
from tests.unit.workflows.conftest import task_of

ODD = {"text": "ä\u0000 '\"%s %(x)s".replace("\u0000", ""), "deep": [{"a": [1, 2.5, None, True]}], "": "{}"}


def made(user, **changes):
    values = {"key": str(uuid4()), "user": user, "method": "test.do", "arguments": ODD, "description": "d %s"} | changes
    return TaskExecution(**values)


def test_what_is_inserted_is_what_the_orm_reads(user):
    now = timezone.now()
    tasks = [made(user), made(user, item=1, ready=True, started_at=now), made(user, result=ODD, position=7)]
    statements.insert(tasks)
    for task in tasks:
        read = TaskExecution.objects.get(pk=task.pk)
        for field in TaskExecution._meta.concrete_fields:
            assert getattr(read, field.attname) == getattr(task, field.attname), field.name
        assert not task._state.adding
    # SQL's NULL, and not the JSON value null.
    assert TaskExecution.objects.filter(result__isnull=True).count() == 2


def test_many_rows_are_inserted_in_statements_that_both_databases_take(user):
    tasks = [made(user) for _ in range(300)]
    parameters = []

    def count(execute, sql, given, many, context):
        parameters.append(len(given))
        return execute(sql, given, many, context)

    with connection.execute_wrapper(count):
        statements.insert(tasks)
    assert TaskExecution.objects.count() == 300
    assert len(parameters) > 1
    assert max(parameters) < 1000


def test_a_chain_is_inserted_with_few_enough_parameters_for_the_driver_to_remember_the_statement(user):
    parameters = []

    def count(execute, sql, given, many, context):
        parameters.append(len(given))
        return execute(sql, given, many, context)

    now = timezone.now()
    chain = [made(user, project_id=uuid4(), ready=position == 0, position=position) for position in range(3)]
    chain[0].published_at = chain[0].next_publish_at = now
    with connection.execute_wrapper(count):
        statements.insert(chain)
    assert parameters == [39]


def test_nothing_is_inserted_for_nothing(db, django_assert_num_queries):
    with django_assert_num_queries(0):
        statements.insert([])


def test_what_is_saved_is_what_the_orm_reads_and_nothing_else_changes(user):
    task = made(user)
    statements.insert([task])
    task.result, task.status, task.method = ODD, "completed", "another"
    statements.save(task, "result", "status")
    read = TaskExecution.objects.get(pk=task.pk)
    assert (read.result, read.status, read.method) == (ODD, "completed", "test.do")


def test_a_row_that_is_yet_to_be_inserted_waits_with_its_changes(user, django_assert_num_queries):
    task = made(user)
    with django_assert_num_queries(0):
        statements.save(task, "status")


def test_saving_moves_the_time_of_the_last_change(start):
    execution = start({"id": "a", "type": "one"})
    before = execution.updated_at
    statements.save(execution, "current_step", "updated_at")
    execution.refresh_from_db()
    assert execution.updated_at > before


def test_columns_read_what_the_orm_reads_and_leave_the_rest_for_later(user, django_assert_num_queries):
    task = made(user, started_at=timezone.now())
    statements.insert([task])
    columns = statements.Columns(TaskExecution, ["arguments", "user", "id", "started_at", "ready"])
    key = statements.as_value(TaskExecution, "id", task.pk)
    (row,) = statements.fetch(f'SELECT {columns.text} FROM "{TaskExecution._meta.db_table}" WHERE "id" = %s', [key])
    with django_assert_num_queries(0):
        read = columns.read(row)
        found = (read.pk, read.arguments, read.user_id, read.started_at, read.ready)
    assert found == (task.pk, ODD, user.pk, task.started_at, False)
    assert read.key == task.key


def test_events_are_numbered_without_gaps_over_many_writes(start):
    execution = start({"id": "a", "type": "one"})
    for number in (1, 3, 2):
        history = History(execution.pk)
        for event in range(number):
            history.add("noted", step_id="a", event=event, nothing=None)
        history.write()
        history.write()
    noted = ExecutionEvent.objects.filter(execution=execution, kind="noted").order_by("sequence")
    assert [event.data for event in noted] == [{"event": n} for n in (0, 0, 1, 2, 0, 1)]
    sequences = list(execution.events.order_by("sequence").values_list("sequence", flat=True))
    assert sequences == list(range(1, len(sequences) + 1))


@pytest.mark.django_db
def test_a_start_that_fails_leaves_nothing(start, monkeypatch):
    def broken(rows):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr("backend.apps.workflows.services.start.insert", broken)
    with pytest.raises(RuntimeError):
        start({"id": "a", "type": "one"})
    for model in (WorkflowExecution, StepExecution, TaskExecution, ExecutionEvent):
        assert not model.objects.exists()


def test_a_link_costs_few_statements(start, broker):
    """Counted so that nobody adds one unawares: every link of every chain pays for it."""
    execution = start({"id": "a", "type": "three"})
    counts = []
    for position in range(3):
        task = task_of(execution, "a", position)
        with CaptureQueriesContext(connection) as queries:
            execute(task.pk, service=lambda claimed: 1, worker="w")
        counts.append([query["sql"].split()[0] for query in queries if "SAVEPOINT" not in query["sql"]])
    link = ["UPDATE", "SELECT", "UPDATE", "UPDATE", "INSERT"]
    last = ["UPDATE", "SELECT", "UPDATE", "SELECT", "SELECT", "UPDATE", "UPDATE", "INSERT"]
    assert counts == [link, link, last]
