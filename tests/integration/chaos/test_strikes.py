"""The record of strikes: each is done once, also where another fault meets who was about to do it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from backend.failpoints import Failpoint
from tests.integration.chaos.strikes import Fault, Plan, Struck

pytestmark = pytest.mark.integration
POINT = Failpoint.REPUBLISHING


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    found = Plan(tmp_path)
    found.create()
    return found


@pytest.fixture
def gone() -> int:
    """The id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_what_was_taken_by_who_ended_before_it_struck_is_armed_anew(plan: Plan, gone: int):
    plan.arm(POINT, Fault.ORPHAN)
    (plan.waiting / POINT.name).rename(plan.waiting / f".{POINT.name}-{gone}")
    plan.arm_lost()
    assert plan.take(POINT) is Fault.ORPHAN


def test_what_was_struck_is_not_armed_anew(plan: Plan, gone: int):
    plan.record(Struck(point=POINT, fault=Fault.ORPHAN, at=1.0, pid=gone, role="agents", task=None))
    (plan.waiting / f".{POINT.name}-{gone}").write_text(Fault.ORPHAN.name)
    plan.arm_lost()
    assert plan.armed() == set()


def test_what_somebody_is_about_to_strike_is_left_to_them(plan: Plan):
    plan.arm(POINT, Fault.ORPHAN)
    assert plan.take(POINT) is Fault.ORPHAN
    plan.arm_lost()
    assert plan.take(POINT) is None
    assert plan.armed() == {POINT}
