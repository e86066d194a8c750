"""A step that is repeated for a list: its items, their order, how many run at once, and what a failure does."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from backend.apps.workflows import selectors
from backend.apps.workflows.decisions.items import NextItems, collect_errors, collect_results, decide_items
from backend.apps.workflows.definitions.check import check_definition, read_definition
from backend.apps.workflows.errors import InvalidDefinition
from backend.apps.workflows.execution import chains, items
from backend.apps.workflows.execution.reconcile import reconcile
from backend.apps.workflows.models import StepExecution, TaskExecution, WorkflowExecution
from backend.apps.workflows.services.control import pause_execution, resume_execution
from backend.errors import InDoubt, RateLimited, RemoteRefused
from tests.unit.workflows.conftest import kinds

pytestmark = pytest.mark.django_db(transaction=True)

Status = TaskExecution.Status


def repeated(step: str = "all", type: str = "one", **more: Any) -> dict[str, Any]:
    return {
        "id": step,
        "type": type,
        "each": "${{ inputs.items }}",
        "config": {"it": "${{ item }}", "at": "${{ item_index }}"},
        **more,
    }


def in_flight(execution: WorkflowExecution, step: str) -> int:
    tasks = TaskExecution.objects.filter(execution=execution, step__step_id=step)
    return tasks.filter(status=Status.RUNNING).count() + tasks.filter(status=Status.PENDING, ready=True).count()


def step_of(execution: WorkflowExecution, step: str) -> StepExecution:
    return StepExecution.objects.get(execution=execution, step_id=step)


@pytest.mark.parametrize(
    ("waiting", "in_flight", "failed", "following"),
    [
        (True, 9, False, NextItems(1, over=False)),
        (True, 10, False, NextItems(0, over=False)),
        (True, 3, False, NextItems(7, over=False)),
        (True, 11, False, NextItems(0, over=False)),
        (False, 3, False, NextItems(0, over=False)),
        (False, 0, False, NextItems(0, over=True)),
        (True, 2, True, NextItems(0, over=False)),
        (False, 0, True, NextItems(0, over=True)),
    ],
)
def test_what_follows_from_an_items_end(waiting, in_flight, failed, following):
    assert decide_items(waiting=waiting, in_flight=in_flight, max_parallel=10, failed=failed) == following


def test_results_are_made_item_by_item_and_the_first_error_names_its_item():
    assert collect_results([(0, "a"), (0, "b"), (1, "c")], list) == [["a", "b"], ["c"]]
    assert collect_errors([]) is None
    error = collect_errors([(7, {"code": "x", "message": "No."}), (3, {"code": "y", "message": "Nor."})])
    assert error == {"code": "x", "item": 7, "message": "Item 7: No.", "failed_items": [3, 7]}


def test_results_come_in_the_items_order_whatever_order_they_end_in(start, runner, broker):
    execution = start(
        repeated("all", "three", max_parallel=3),
        {"id": "last", "type": "one", "config": {"first": "${{ steps.all.result[0] }}"}},
        inputs={"items": ["x", {"y": 1}, [2], None]},
        outputs={"all": "${{ steps.all.result }}"},
    )
    runner.service = lambda claimed: [claimed.arguments.get("it"), claimed.arguments.get("link")]
    while broker.chains:
        # The newest message first: the items end in an order of their own.
        first, *rest = broker.chains.pop()
        runner.do(first)
        if rest:
            broker.chains.append(rest)
    execution.refresh_from_db()
    assert execution.status == "completed"
    assert execution.output_data["all"] == [[[it, link] for link in range(3)] for it in ("x", {"y": 1}, [2], None)]
    assert [arguments["at"] for step, arguments in runner.calls if step == "all"] != sorted([0, 1, 2, 3] * 3)
    keys = TaskExecution.objects.filter(execution=execution).values_list("key", flat=True)
    assert {key.removeprefix(f"{execution.pk}/") for key in keys} == {
        *(f"all/{item}/{link}" for item in range(4) for link in range(3)),
        "last/0",
    }


def test_an_empty_list_completes_at_once(start, runner):
    execution = start(repeated(), {"id": "b", "type": "one"}, inputs={"items": []}, outputs={"n": "${{ steps.all }}"})
    assert step_of(execution, "all").result == []
    runner.until_idle()
    execution.refresh_from_db()
    assert execution.output_data == {"n": {"status": "completed", "result": []}}
    assert kinds(execution)[1:4] == ["step_started", "step_completed", "step_started"]


@pytest.mark.parametrize(
    ("inputs", "config", "words", "item"),
    [
        ({"items": {"a": 1}}, {}, "yields no list", None),
        ({"items": "text"}, {}, "yields no list", None),
        ({"items": [1] * 1001}, {}, "1001 items", None),
        ({"items": [{"n": 1}, {"m": 1}]}, {"n": "${{ item.n }}"}, "unknown reference 'item.n'", 1),
        ({"items": [1, 2, "x"]}, {"n": "${{ item }}"}, "This is a text", 2),
    ],
)
def test_what_cannot_start_starts_nothing(start, inputs, config, words, item):
    execution = start(repeated(type="picky", config=config), inputs=inputs)
    execution.refresh_from_db()
    assert execution.status == "failed"
    assert words in execution.error["message"]
    assert execution.error.get("item") == item
    assert not TaskExecution.objects.exists()


def test_what_the_items_work_on_is_bounded_together(start, monkeypatch):
    monkeypatch.setattr(chains, "LARGEST_ITEMS", 1000)
    execution = start(repeated(), inputs={"items": ["x" * 100] * 20})
    execution.refresh_from_db()
    assert execution.error["path"] == "steps.all.each"
    assert execution.error["item"] == 8


def test_results_too_large_for_one_value_fail_the_step(start, runner, monkeypatch):
    monkeypatch.setattr(items, "LARGEST_RESULTS", 1000)
    execution = start(repeated(), inputs={"items": ["x" * 100] * 20})
    runner.until_idle()
    execution.refresh_from_db()
    assert execution.status == "failed"
    assert "results of the items" in execution.error["message"]
    assert execution.state["steps"]["all"]["status"] == "failed"
    assert "result" not in execution.state["steps"]["all"]


def test_after_a_failure_nothing_starts_and_what_runs_is_let_finish(start, runner, broker):
    execution = start(
        repeated("all", "three", max_parallel=2), {"id": "b", "type": "one"}, inputs={"items": list(range(5))}
    )

    def service(claimed):
        if claimed.item == 1 and claimed.position == 1:
            raise RemoteRefused("It said no.")
        return claimed.item

    runner.service = service
    runner.until_idle()
    execution.refresh_from_db()
    assert execution.status == "failed"
    assert execution.error["message"] == "Item 1: It said no."
    assert execution.error["item"] == 1
    assert execution.error["step"] == "all"
    done = Counter(arguments["at"] for _, arguments in runner.calls)
    # Item 0 finished its chain; of the others, those that had begun did too, and item 4 never began.
    assert done[0] == 3
    assert done[1] == 2
    assert done[4] == 0
    statuses = TaskExecution.objects.filter(execution=execution, item=4).values_list("status", flat=True)
    assert set(statuses) == {"cancelled"}
    assert step_of(execution, "b").status == "skipped"
    assert not TaskExecution.objects.filter(status__in=["pending", "running"]).exists()
    failed = next(event for event in execution.events.all() if event.kind == "task_failed")
    assert failed.data["item"] == 1


def test_several_failures_are_all_named_and_doubt_is_one(start, runner, broker):
    execution = start(repeated(max_parallel=3), inputs={"items": [0, 1, 2, 3]})

    def service(claimed):
        raise InDoubt("Who knows?") if claimed.item == 2 else RemoteRefused("No.")

    runner.service = service
    for chain in reversed(broker.sent):
        runner.do(chain[0])
    execution.refresh_from_db()
    assert execution.error["code"] == "in_doubt"
    assert execution.error["failed_items"] == [0, 1, 2]


def test_a_parked_item_holds_its_place_and_comes_back_alone(start, runner, broker):
    """A rate limit's wait is no end: nothing starts in its stead, and its message brings back its own links only."""
    execution = start(repeated("all", "three", max_parallel=2), inputs={"items": [0, 1, 2]})

    def limited(claimed):
        if claimed.item == 0 and claimed.attempt == 1 and claimed.position == 0:
            raise RateLimited("Wait.", retry_after=3600)
        return claimed.item

    runner.service = limited
    runner.until_idle()
    assert in_flight(execution, "all") == 1
    assert Counter(arguments["at"] for _, arguments in runner.calls) == {0: 1, 1: 3, 2: 3}
    later = timezone.now() + timedelta(hours=1)
    TaskExecution.objects.filter(item=0).update(not_before=None)
    TaskExecution.objects.filter(item=0, position=0).update(next_publish_at=timezone.now())
    assert reconcile(now=later).republished == 1
    assert len(broker.chains[0]) == 3
    runner.until_idle()
    execution.refresh_from_db()
    assert execution.status == "completed"
    assert execution.state["steps"]["all"]["result"] == [[0] * 3, [1] * 3, [2] * 3]


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        (
            "each: ${{ inputs.items }}\n    condition: ${{ item == 1 }}",
            "steps[1].condition",
            "unknown reference 'item'",
        ),
        ("each: ${{ item }}", "steps[1].each", "unknown reference 'item'"),
        ("each: ${{ steps.none.result }}", "steps[1].each", "unknown reference"),
        ("each: all of them", "steps[1].each", "not one expression"),
        ("each: [1, 2]", "steps[1].each", "This is a list"),
        ("config: {x: '${{ item_index }}'}", "steps[1].config.x", "unknown reference 'item_index'"),
        ("each: ${{ inputs.items }}\n    config: {x: '${{ item_index.x }}'}", "steps[1].config.x", "unknown reference"),
        ("max_parallel: 3", "steps[1]", "'each' is a dependency of 'max_parallel'"),
        ("each: ${{ inputs.items }}\n    max_parallel: 101", "steps[1].max_parallel", "maximum"),
        ("each: ${{ inputs.items }}\n    max_parallel: 0", "steps[1].max_parallel", "minimum"),
    ],
)
def test_mistakes_are_found_when_the_definition_is_checked(text, path, words):
    with pytest.raises(InvalidDefinition) as raised:
        read_definition(f"name: x\nsteps:\n  - {{id: a, type: one}}\n  - id: b\n    type: one\n    {text}\n")
    assert raised.value.place["path"] == path
    assert raised.value.place["step"] == "b"
    assert words in raised.value.message


def test_what_a_repeated_step_is_by_default():
    step = check_definition({"name": "x", "steps": [repeated()]}).step("all")
    assert (step.each, step.max_parallel) == ("${{ inputs.items }}", 10)


MANY = 500
DIAMOND = [
    {"id": "top", "type": "one", "config": {"n": MANY}},
    repeated("left", each="${{ steps.top.result.items }}", depends_on=["top"]),
    repeated("right", each="${{ steps.top.result.items }}", depends_on=["top"], max_parallel=7),
    {
        "id": "bottom",
        "type": "one",
        "depends_on": ["left", "right"],
        "config": {"left": "${{ steps.left.result }}", "last": "${{ steps.right.result[499] }}"},
    },
]


def test_a_diamond_over_500_items(start, runner, broker):
    """Order, bounded parallelism, and work per task that does not grow with the number of tasks that are done."""
    most: Counter[str] = Counter()
    done: Counter[tuple[str, int]] = Counter()
    # By step and link: the statements of the 10th and of the 490th task.
    statements: dict[tuple[str, int], list[list[str]]] = {}

    def service(claimed):
        if claimed.step_id == "top":
            return {"items": [{"n": number} for number in range(MANY)]}
        if claimed.step_id == "bottom":
            return claimed.arguments
        return claimed.arguments["it"]["n"] * 2

    runner.service = service
    execution = start(*DIAMOND)
    while broker.chains:
        first, *rest = broker.chains.popleft()
        task = TaskExecution.objects.select_related("step").get(pk=first)
        assert task.step is not None
        place = (task.step.step_id, task.position)
        done[place] += 1
        if done[place] in {10, 490}:
            with CaptureQueriesContext(connection) as captured:
                runner.do(first)
            statements.setdefault(place, []).append([query["sql"] for query in captured])
        else:
            runner.do(first)
        if task.item % 25 == 0:
            for step in ("left", "right"):
                most[step] = max(most[step], in_flight(execution, step))
        if rest:
            broker.chains.append(rest)

    execution.refresh_from_db()
    assert execution.status == "completed"
    result = execution.state["steps"]["bottom"]["result"]
    assert result["left"] == [number * 2 for number in range(MANY)]
    assert result["last"] == 998
    assert most == {"left": 10, "right": 7}
    assert len(runner.calls) == 2 + 2 * MANY
    for place in (("left", 0), ("right", 0)):
        assert done[place] == MANY
        tenth, later = statements[place]
        assert len(tenth) == len(later), place
        # Nor does what the statements carry grow: the state is written once, at the end.
        assert sum(map(len, later)) < sum(map(len, tenth)) * 1.2, place
    assert step_of(execution, "right").result == [number * 2 for number in range(MANY)]
    assert len(selectors.steps_of(execution)) == 4


def test_counts_say_where_the_items_stand(start, runner, broker):
    execution = start(
        repeated("all", "three", max_parallel=3), {"id": "b", "type": "one"}, inputs={"items": [0, 1, 2, 3]}
    )

    def service(claimed):
        if claimed.item == 1:
            raise RateLimited("Wait.", retry_after=3600)
        return 0

    runner.service = service
    for chain in broker.sent[:2]:
        for link in chain:
            runner.do(link)
    (counts,) = selectors.item_counts(execution, steps=["all"])[:1]
    assert (counts.method, counts.total, counts.done, counts.waiting, counts.failed) == ("test.do", 4, 1, 1, 0)
    assert len(selectors.item_counts(execution, steps=["all"])) == 3
    assert selectors.tasks_of(execution, without=["all"]) == []
    assert [(task.item, task.position) for task in selectors.tasks_of(execution)][:4] == [
        (0, 0),
        (0, 1),
        (0, 2),
        (1, 0),
    ]


def test_a_failed_step_goes_on_where_its_items_were(start, runner, user):
    """What has completed stays, and what failed or never began is done, as many at once as before."""
    execution = start(repeated("all", "three", max_parallel=2), inputs={"items": list(range(6))})
    broken = True

    def service(claimed):
        if broken and claimed.item == 2 and claimed.position == 1:
            raise RemoteRefused("No.")
        return claimed.item

    runner.service = service
    runner.until_idle()
    execution.refresh_from_db()
    assert execution.status == "failed"
    before = len(runner.calls)
    broken = False
    resume_execution(execution_id=execution.pk, user=user)
    assert in_flight(execution, "all") == 2
    runner.until_idle()
    execution.refresh_from_db()
    assert execution.status == "completed"
    assert execution.state["steps"]["all"]["result"] == [[item] * 3 for item in range(6)]
    # 18 links in all, and the one that failed was tried twice.
    assert len(runner.calls) == 19
    assert before > 6


def test_while_an_execution_is_paused_no_item_begins(start, runner, broker, user):
    execution = start(repeated(max_parallel=2), inputs={"items": list(range(4))})
    pause_execution(execution_id=execution.pk, user=user)
    runner.until_idle()
    assert runner.calls == []
    resume_execution(execution_id=execution.pk, user=user)
    assert in_flight(execution, "all") == 2
    runner.until_idle()
    execution.refresh_from_db()
    assert execution.state["steps"]["all"]["result"] == [{"did": {"it": n, "at": n}} for n in range(4)]
