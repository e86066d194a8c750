"""Finding executions."""

import pytest

from backend.apps.workflows import selectors
from backend.errors import Conflict, NotFound

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_execution_is_found_by_id_by_its_beginning_or_as_the_last(start, runner):
    with pytest.raises(NotFound):
        selectors.find_execution("last")
    first = start({"id": "a", "type": "one"})
    second = start({"id": "a", "type": "three"})
    assert selectors.find_execution("last").pk == second.pk
    assert selectors.find_execution(str(first.pk)).pk == first.pk
    assert selectors.find_execution(str(first.pk)[:13]).pk == first.pk
    for wrong in ("zz", "", "f" * 40, "00000000-0000-4000-8000-000000000000"):
        with pytest.raises(NotFound):
            selectors.find_execution(wrong)
    assert [row.pk for row in selectors.executions()] == [second.pk, first.pk]
    assert [task.position for task in selectors.tasks_of(second)] == [0, 1, 2]
    assert [event.kind for event in selectors.events_after(first.pk, 1)] == ["step_started"]


def test_an_ambiguous_beginning_is_refused(start, monkeypatch):
    from backend.apps.workflows.models import WorkflowExecution

    one = start({"id": "a", "type": "one"})
    twin = WorkflowExecution.objects.get(pk=one.pk)
    head = str(one.pk)[:8]
    twin.pk = f"{head}-0000-4000-8000-000000000000"
    twin.save(force_insert=True)
    with pytest.raises(Conflict):
        selectors.find_execution(head)
