"""Chaos on PostgreSQL: the processes that work are killed and stopped, at every boundary."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.failpoints import OF_EVERY_RUN, Failpoint
from tests.integration.chaos.databases import postgresql
from tests.integration.chaos.judged import Ring
from tests.integration.chaos.stage import HELD, stage
from tests.integration.chaos.strikes import PROCESSES, Fault
from tests.integration.chaos.verdict import PROMISE

pytestmark = [pytest.mark.integration, pytest.mark.chaos]

FOREVER = 90.0
"""Seconds that a process stays stopped, when all is to be done long before it goes on."""


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ring]:
    data_dir = tmp_path_factory.mktemp("ch")
    with postgresql() as database, stage(data_dir, database) as made, Ring(made) as ring:
        yield ring


FAULTS = pytest.mark.parametrize("fault", PROCESSES, ids=lambda fault: fault.name.lower())


@FAULTS
def test_a_fault_at_each_boundary(ring: Ring, fault: Fault):
    ring.strike(fault, OF_EVERY_RUN)


@FAULTS
def test_each_run_was_done_once_and_in_time(ring: Ring, fault: Fault, tmp_path: Path):
    ring.survived(fault, scratch=tmp_path)


def test_a_process_that_stops_in_the_middle_of_a_transaction_holds_nobody_up(ring: Ring, tmp_path: Path):
    """It has locked rows, and will not let go of them by itself for as long as it sleeps."""
    ring.stage.held = FOREVER
    try:
        took = ring.alone(Fault.STOP, Failpoint.WRITING_BACK, others=6, scratch=tmp_path)
    finally:
        ring.stage.held = HELD
    assert took < PROMISE
