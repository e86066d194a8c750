"""A step type that raises, as another package's may: its step fails, and no work is repeated because of it."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from backend.apps.workflows import step_types
from backend.apps.workflows.execution.reconcile import reconcile
from backend.apps.workflows.step_types import Link, StepType
from tests.unit.workflows.controlled import ONE, TWO, again, statuses

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


@pytest.mark.parametrize("control", ["resume_execution", "retry_step"])
@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("mended", [False, True])
def test_a_step_that_failed_after_its_last_task_ends_when_it_is_done_again(start, runner, act, control, each, mended):
    faulty = StepType("faulty", {"type": "object"}, lambda config: LINKS, lambda results: results[7])
    step_types.register(faulty)
    more = {"each": "${{ inputs.list }}"} if each else {}
    execution = start({"id": "b", "type": "faulty", **more}, {**TWO, "id": "c"}, inputs={"list": [1, 2]})
    runner.until_idle()
    assert statuses(execution) == {"b": "failed", "c": "skipped"}
    calls = len(runner.calls)
    if mended:
        step_types._registered["faulty"] = replace(faulty, result=step_types.last_result)
    act(control, execution, **({"step_id": "b"} if control == "retry_step" else {}))
    runner.until_idle()
    assert again(execution).status == ("completed" if mended else "failed")
    assert statuses(execution) == ({"b": "completed", "c": "completed"} if mended else {"b": "failed", "c": "skipped"})
    # What its tasks did is there, and is not done again.
    assert len(runner.calls) == calls + mended
