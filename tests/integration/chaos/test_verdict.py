"""How long a recovery took, as the verdict counts it: a later fault's time is not an earlier one's, and no other is."""

from __future__ import annotations

from typing import Any

import pytest

from backend.failpoints import Failpoint
from tests.integration.chaos.strikes import Fault, Struck
from tests.integration.chaos.verdict import recoveries

TASK = "the task"
PAUSE = 20.0
"""Seconds that the task says it waits, where it waits."""


def struck(at: float, fault: Fault, task: str | None = TASK) -> Struck:
    return Struck(point=Failpoint.AFTER_CLAIM, fault=fault, at=at, pid=1, role="worker-a", task=task)


def run(*events: tuple[float, str], completed: float) -> dict[str, Any]:
    return {
        "started": 1.0,
        "tasks": [{"id": TASK, "completed": completed}],
        "events": [{"at": at, "kind": kind, "task": TASK, "data": {"seconds": PAUSE}} for at, kind in events],
    }


FIRST = struck(10.0, Fault.WIPE)


@pytest.mark.parametrize(
    ("later", "events", "completed", "seconds"),
    [
        pytest.param([], [], 14.0, 4.0, id="until it is done"),
        pytest.param([struck(12.0, Fault.STOP)], [], 40.0, 2.0, id="struck once more"),
        pytest.param([struck(12.0, Fault.STOP, "another")], [], 40.0, 30.0, id="another task struck"),
        pytest.param(
            [struck(13.0, Fault.KILL_WORKER, "another")], [(25.0, "message_lost")], 26.0, 13.0, id="its message lost"
        ),
        pytest.param(
            [struck(13.0, Fault.KILL_WORKER, "another"), struck(14.0, Fault.FLUSH, "another")],
            [(25.0, "message_lost")],
            26.0,
            13.0,
            id="the earlier of two that can have cost it is counted from",
        ),
        pytest.param(
            [struck(13.0, Fault.KILL_WORKER, "another"), struck(30.0, Fault.NEW_CONTAINER, "another")],
            [(25.0, "message_lost"), (36.0, "lease_expired")],
            37.0,
            17.0,
            id="lost twice: the longer stretch counts",
        ),
        pytest.param([], [(25.0, "message_lost"), (40.0, "message_lost")], 41.0, 31.0, id="lost without a strike"),
        pytest.param(
            [struck(13.0, Fault.KILL_WORKER, "another")],
            [(25.0, "message_lost"), (50.0, "message_lost")],
            51.0,
            38.0,
            id="one strike explains one loss",
        ),
        pytest.param(
            [struck(13.0, Fault.KILL_WORKER, "another")],
            [(11.0, "task_waits")],
            45.0,
            35.0,
            id="nothing lost by it",
        ),
        pytest.param(
            [], [(11.0, "task_waits"), (12.0, "task_waits"), (13.0, "task_waits")], 45.0, 35.0, id="three pauses count"
        ),
        pytest.param(
            [],
            [(2.0, "task_waits"), (4.0, "task_waits"), (7.0, "task_waits"), (11.0, "task_waits")],
            45.0,
            15.0,
            id="the fourth pause, for strikes before it, does not",
        ),
    ],
)
def test_the_time_of_a_recovery(later: list[Struck], events: list[tuple[float, str]], completed: float, seconds: float):
    assert recoveries([FIRST, *later], [run(*events, completed=completed)])[FIRST] == seconds
