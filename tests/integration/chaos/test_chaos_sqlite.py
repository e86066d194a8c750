"""Chaos on SQLite: the faults that a database in a file answers otherwise than a server does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.failpoints import OF_EVERY_RUN
from tests.integration.chaos.databases import Sqlite
from tests.integration.chaos.judged import Ring
from tests.integration.chaos.stage import stage
from tests.integration.chaos.strikes import Fault

pytestmark = [pytest.mark.integration, pytest.mark.chaos]


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ring]:
    with stage(tmp_path_factory.mktemp("cs"), Sqlite()) as made, Ring(made) as ring:
        yield ring


FAULTS = pytest.mark.parametrize(
    "fault", [Fault.KILL_CHILD, Fault.STOP, Fault.NEW_CONTAINER], ids=lambda fault: fault.name.lower()
)


@FAULTS
def test_a_fault_at_each_boundary(ring: Ring, fault: Fault):
    ring.strike(fault, OF_EVERY_RUN)


@FAULTS
def test_each_run_was_done_once_and_in_time(ring: Ring, fault: Fault, tmp_path: Path):
    ring.survived(fault, scratch=tmp_path)
