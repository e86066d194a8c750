"""Sessions that are judged: what the tests of both databases share."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from backend.failpoints import Failpoint
from tests.integration.chaos.session import END_PATIENCE, EXAMPLE, STRIKE_PATIENCE, Session, slow_workflow
from tests.integration.chaos.stage import Stage
from tests.integration.chaos.strikes import Fault, Struck
from tests.integration.chaos.verdict import CALM, PROMISE, Wrong, expected_tree, faults_of, recoveries
from tests.integration.git_http_server import GitHttpServer
from tests.integration.trees import Tree, archive_tree

AT_ONCE = {Fault.KILL_BROKER: 1, Fault.RESTART_DATABASE: 1, Fault.STOP: 3}
"""How many strikes wait at the same time; 2 by default. Of the four pool processes one is always left to work."""


class Ring:
    """A stage with what its sessions need: a slow git server, and what an undisturbed run delivers."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.slow = GitHttpServer(stage.data_dir / "slow")
        self.slow_file = slow_workflow(stage.data_dir / "slow.yaml")
        self.calm: Tree = {}
        self.sessions: dict[Fault, Session] = {}

    def __enter__(self) -> Ring:
        self.slow.start()
        session = Session(self.stage, "calm", self.slow, self.slow_file)
        session.ids.append(self.stage.ask("start", str(EXAMPLE), CALM, {}))
        run = session.finish()[0]
        assert run["status"] == "completed", run
        self.calm = archive_tree(self.stage.data_dir / "archives" / run["archives"][0][0])
        assert len(self.calm) > 5
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.slow.stop()

    def strike(self, fault: Fault, points: Sequence[Failpoint]) -> None:
        """Do a fault once at each of these failpoints, while runs come in; some of them may still run afterwards."""
        assert fault is not Fault.FILL_DISK or self.stage.has_small_disk, "there is no small disk to be filled"
        session = Session(self.stage, fault.name.lower().replace("_", "-"), self.slow, self.slow_file)
        self.sessions[fault] = session
        try:
            strikes = session.strike(dict.fromkeys(points, fault), at_once=AT_ONCE.get(fault, 2))
        finally:
            self.stage.plan.disarm()
        missed = set(points) - {strike.point for strike in strikes if strike.fault is fault}
        assert not missed, f"never reached: {missed}"

    def survived(self, fault: Fault, *, scratch: Path) -> None:
        """Wait for the end of the runs during which a fault was done, and judge them."""
        if fault not in self.sessions:
            pytest.skip("this fault was not done")
        runs = {other: session.finish() for other, session in self.sessions.items()}
        wrong = self.wrong(runs[fault], scratch=scratch)
        assert not wrong, "\n".join(wrong)
        late = []
        everybody = [run for each in runs.values() for run in each]
        for strike, seconds in recoveries(self.stage.plan.struck(), everybody).items():
            if strike.fault is fault:
                _tell(f"{_place(strike):18} {strike.fault.name:16} {strike.role:9} {seconds:6.1f} s")
                if seconds >= PROMISE:
                    late.append(f"{_place(strike)}: {seconds:.1f} s\n{_story(strike, everybody)}")
        assert not late, f"the work went on after more than {PROMISE} s:\n" + "\n".join(late)

    def alone(self, fault: Fault, point: Failpoint, *, others: int, scratch: Path) -> float:
        """Do one fault, start other runs after it, and return the seconds until all have completed."""
        session = Session(self.stage, f"alone-{point.name.lower().replace('_', '-')}", self.slow, self.slow_file)
        before = len(self.stage.plan.struck())
        self.stage.plan.arm(point, fault)
        session.feed()
        self.stage.wait(lambda: len(self.stage.plan.struck()) > before, patience=STRIKE_PATIENCE, what="the strike")
        struck_at = time.monotonic()
        for _ in range(others):
            session.feed()
        self.stage.wait(lambda: session.running() == 0, patience=END_PATIENCE, what="the end of the runs")
        took = time.monotonic() - struck_at
        _tell(f"{point.name:18} {fault.name:16} alone     {took:6.1f} s")
        # What comes back now must not change anything any more.
        self.stage.hurry()
        wrong = self.wrong(session.finish(), scratch=scratch)
        assert not wrong, "\n".join(wrong)
        return took

    def wrong(self, runs: list[dict[str, Any]], *, scratch: Path) -> list[str]:
        """Return all that is wrong with these runs."""
        return [wrong.words for run in runs for wrong in self.judge(run, scratch=scratch)]

    def judge(self, run: dict[str, Any], *, scratch: Path) -> list[Wrong]:
        """Return what is wrong with one run."""
        expected = expected_tree(self.calm, run["name"])
        return faults_of(run, data_dir=self.stage.data_dir, expected=expected, scratch=scratch)


def _tell(line: str) -> None:
    # Shown by `pytest -s`, and where a test fails.
    sys.stdout.write(line + "\n")


def _story(strike: Struck, runs: list[dict[str, Any]]) -> str:
    """Return what happened after a strike in the runs that it met, with the seconds since."""
    lines = []
    for run in runs:
        met = any(task["id"] == strike.task for task in run["tasks"]) if strike.task else run["started"] < strike.at
        after = [event for event in run["events"] if event["at"] > strike.at]
        if met and after:
            told = ", ".join(f"{event['at'] - strike.at:.1f} {event['kind']} {event['step']}" for event in after)
            lines.append(f"  {run['name']}: {told}")
    return "\n".join(lines)


def _place(strike: Struck) -> str:
    return strike.point.name if strike.point else "out of the blue"
