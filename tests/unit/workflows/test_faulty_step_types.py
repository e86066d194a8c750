"""A step type that raises, as another package's may: its step fails, and no work is repeated because of it."""

from contextlib import suppress
from datetime import timedelta

import pytest
from django.utils import timezone

from backend.apps.workflows import step_types
from backend.apps.workflows.execution.reconcile import reconcile
from backend.apps.workflows.step_types import Link, StepType
from tests.unit.workflows.controlled import ONE, again, statuses

pytestmark = pytest.mark.django_db(transaction=True)
LINKS = [Link("test.do")]
FAULTY = {
    "links": {"links": lambda config: [Link("test.do", config["missing"])]},
    "arguments": {"links": lambda config: [Link("test.do", {"n": float("nan")})]},
    "result": {"links": lambda config: LINKS, "result": lambda results: results[7]},
    "result that is not JSON": {"links": lambda config: LINKS, "result": lambda results: {"n": {1, 2}}},
}


@pytest.mark.parametrize("fault", FAULTY.values(), ids=FAULTY)
def test_its_step_fails_and_no_work_is_repeated(start, runner, fault):
    step_types.register(StepType("faulty", {"type": "object"}, **fault))
    execution = start(ONE, {"id": "b", "type": "faulty"})
    for _ in range(3):
        # What nobody foresaw is Celery's to log, and the lease of the task runs out.
        with suppress(Exception):
            runner.until_idle()
        reconcile(now=timezone.now() + timedelta(hours=1))
    assert [step for step, _ in runner.calls].count("a") == 1
    assert statuses(execution) == {"a": "completed", "b": "failed"}
    assert again(execution).status == "failed"
