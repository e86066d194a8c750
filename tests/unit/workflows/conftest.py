"""A small world of step types and a workflow runner without a broker."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from backend.apps.authentication.models import User
from backend.apps.workflows import services, step_types
from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.execution.claim import ClaimedTask
from backend.apps.workflows.execution.run import Completed, Outcome, execute
from backend.apps.workflows.models import TaskExecution, WorkflowExecution
from backend.apps.workflows.publishing import Front
from backend.apps.workflows.services import save_definition, start_execution
from backend.apps.workflows.step_types import Link, StepType


@pytest.fixture(autouse=True)
def step_types_of_the_tests(monkeypatch):
    """Step types of the tests' own: `one` has one link, `three` has a chain of three, `picky` refuses."""
    known = dict(step_types._registered)
    monkeypatch.setattr(step_types, "_registered", known)
    anything: dict[str, Any] = {"type": "object"}
    step_types.register(StepType("one", anything, lambda config: [Link("test.do", config)]))
    step_types.register(
        StepType("three", anything, lambda config: [Link("test.do", {"link": n, **config}) for n in range(3)], list)
    )
    step_types.register(
        StepType(
            "picky",
            {"type": "object", "properties": {"n": {"type": "integer"}}},
            lambda config: [Link("test.do", config)],
        )
    )


@pytest.fixture
def user(db):
    return User.objects.create_user("worker-bee", password="long enough to pass")


class FakeBroker:
    """Keeps chains in memory. It loses nothing and repeats nothing unless a test tells it to.

    fronts: what it shows of its queues; nothing waits in them unless a test has it say so. None: it does not answer.
    """

    def __init__(self) -> None:
        self.chains: deque[list[Any]] = deque()
        self.sent: list[list[Any]] = []
        self.fronts: dict[str, Front] | None = {}

    def publish(self, tasks: Any) -> bool:
        """Take a chain of tasks, as the real module does."""
        self.chains.append([task.pk for task in tasks])
        self.sent.append([task.pk for task in tasks])
        return True

    def show(self, queue: str, *tasks: Any, more: bool = False) -> None:
        """Have these tasks' messages at the front of a queue, the next one first; more: and others behind them."""
        self.fronts = {queue: Front(tuple(str(getattr(task, "pk", task)) for task in tasks), whole=not more)}


@pytest.fixture
def broker(monkeypatch):
    """Replaces the one module that sends to Celery."""
    fake = FakeBroker()
    for module in ("execution.chains", "execution.lost_messages"):
        monkeypatch.setattr(f"backend.apps.workflows.{module}.publish_chain", fake.publish)
    monkeypatch.setattr("backend.apps.workflows.execution.lost_messages.fronts", lambda: fake.fronts)
    return fake


class Runner:
    """Does what workers do, one message at a time."""

    def __init__(self, broker: FakeBroker) -> None:
        self.broker = broker
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.service: Callable[[ClaimedTask], Any] = lambda claimed: {"did": claimed.arguments}

    def _serve(self, claimed: ClaimedTask) -> Any:
        self.calls.append((claimed.step_id, claimed.arguments))
        return self.service(claimed)

    def do(self, task_id: Any, worker: str = "w1") -> Outcome:
        """Deliver one message."""
        return execute(task_id, service=self._serve, worker=worker)

    def until_idle(self) -> None:
        """Deliver every message; the next link of a chain follows where its link has completed."""
        while self.broker.chains:
            first, *rest = self.broker.chains.popleft()
            if isinstance(self.do(first), Completed) and rest:
                self.broker.chains.append(rest)


@pytest.fixture
def runner(broker):
    return Runner(broker)


@pytest.fixture
def start(user, broker):
    """Starts an execution of a definition given as steps."""

    def begin(*steps: dict[str, Any], inputs: dict[str, Any] | None = None, **more: Any) -> WorkflowExecution:
        definition = check_definition({"name": "test", "steps": list(steps), **more})
        return start_execution(version=save_definition(definition), inputs=inputs or {}, user=user)

    return begin


def task_of(execution: WorkflowExecution, step: str, position: int = 0) -> TaskExecution:
    """Return a step's task."""
    return TaskExecution.objects.get(execution=execution, step__step_id=step, position=position)


def kinds(execution: WorkflowExecution) -> list[str]:
    """Return the kinds of an execution's events, in order."""
    return list(execution.events.order_by("sequence").values_list("kind", flat=True))


@pytest.fixture
def act(user):
    """Does one control to an execution, for the user."""

    def do(control: str, execution, **more):
        return getattr(services, control)(execution_id=execution.pk, user=user, **more)

    return do
