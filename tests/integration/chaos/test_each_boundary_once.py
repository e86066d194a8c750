"""Each boundary of the execution is struck once, each time by the fault that says most there.

It is the quick look at the whole, in one or two minutes; how soon the work went on is not asked here.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.failpoints import OF_EVERY_RUN, Failpoint
from tests.integration.chaos.databases import postgresql
from tests.integration.chaos.judged import Ring
from tests.integration.chaos.session import Session
from tests.integration.chaos.stage import stage
from tests.integration.chaos.strikes import Fault

pytestmark = [pytest.mark.integration, pytest.mark.chaos]

FAULTS = {
    # A message is out, and nobody has its task.
    Failpoint.BEFORE_CLAIM: Fault.KILL_WORKER,
    Failpoint.AFTER_CLAIM: Fault.ORPHAN,
    # Files are there, and the machine that has them goes.
    Failpoint.WORKSPACE_WRITTEN: Fault.NEW_CONTAINER,
    Failpoint.COMMITTED: Fault.KILL_CHILD,
    Failpoint.PACKAGED: Fault.WIPE,
    # An effect that must not be repeated, and nothing says that it happened.
    Failpoint.PUSHED: Fault.KILL_CHILD,
    Failpoint.REQUEST_SERVED: Fault.KILL_CHILD,
    Failpoint.CALLED: Fault.RESTART_DATABASE,
    Failpoint.ANSWERED: Fault.STOP,
    # A lock is held, and whoever holds it sleeps.
    Failpoint.WRITING_BACK: Fault.STOP,
    Failpoint.WRITTEN_BACK: Fault.KILL_WORKER,
    Failpoint.BEFORE_PUBLISH: Fault.KILL_BROKER,
    Failpoint.AFTER_PUBLISH: Fault.FLUSH,
    Failpoint.HEARTBEAT: Fault.STOP,
    # Those that mend are struck themselves.
    Failpoint.TAKING_BACK: Fault.KILL_CHILD,
    Failpoint.REPUBLISHING: Fault.KILL_WORKER,
}


def test_each_boundary_has_its_fault():
    assert set(FAULTS) == set(OF_EVERY_RUN)


def test_what_is_struck_at_each_boundary_is_done_once(tmp_path: Path):
    with postgresql() as database, stage(tmp_path / "d", database) as made, Ring(made) as ring:
        session = Session(made, "once", ring.slow, ring.slow_file)
        struck = session.strike(FAULTS, at_once=2)
        assert set(FAULTS.items()) <= {(strike.point, strike.fault) for strike in struck}
        wrong = ring.wrong(session.finish(), scratch=tmp_path)
        assert not wrong, "\n".join(wrong)
