"""One session of chaos: runs come in steadily while one kind of fault strikes at one failpoint after the other."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from backend.failpoints import Failpoint
from tests.integration.chaos.stage import Stage
from tests.integration.chaos.strikes import Fault, Struck
from tests.integration.git_http_server import GitHttpServer
from tests.integration.installation import ROOT

EXAMPLE = ROOT / "examples" / "publish-service" / "workflow.yaml"
IN_FLIGHT = 4
STRIKE_PATIENCE = 180.0
END_PATIENCE = 180.0
SLOW_PUSH = 4
"""Seconds that a slow remote takes for a push: longer than the pause between two heartbeats."""
PROVOKED = {Failpoint.TAKING_BACK, Failpoint.REPUBLISHING}
"""Only reached when a worker was lost before, and nobody happened to claim its task when the lease ran out."""
PROVOKE_AGAIN = 8.0
"""Seconds after which another worker is lost, where the first did not lead there."""


@dataclass
class Session:
    """What a session did: the strikes, and the runs with all that became of them."""

    stage: Stage
    prefix: str
    slow: GitHttpServer
    slow_file: Path
    ids: list[str] = field(default_factory=list)
    slow_ids: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.time)
    provoked: float = 0.0

    def feed(self, *, slow: bool = False) -> None:
        """Start one run."""
        name = f"{self.prefix}-{len(self.ids)}"
        if slow:
            url = self.slow.create_repository(f"{name}.git")
            _delay_pushes(self.slow, f"{name}.git")
            identifier = self.stage.ask("start", str(self.slow_file), name, {"url": url})
            self.slow_ids.append(identifier)
        else:
            identifier = self.stage.ask("start", str(EXAMPLE), name, {})
        self.ids.append(identifier)

    def keep_fed(self, *, slow: bool = False, in_flight: int = IN_FLIGHT) -> None:
        """Start runs until so many are under way."""
        while self.running() < in_flight:
            self.feed(slow=slow)

    def running(self) -> int:
        """Count the runs under way."""
        return int(self.stage.ask("standing").get("running", 0))

    def strike(self, faults: Mapping[Failpoint, Fault], *, at_once: int) -> list[Struck]:
        """Do each of these faults once, with so many waiting at the same time; return what was struck."""
        plan = self.stage.plan
        before = len(plan.struck())
        waiting = list(faults.items())
        while True:
            while waiting and len(plan.armed()) < at_once and not self.stage.busy:
                point, fault = waiting.pop(0)
                if point is Failpoint.HEARTBEAT:
                    self.feed(slow=True)
                plan.arm(point, fault)
            left_over = at_once - 1 if waiting else 0
            try:
                self.stage.wait(
                    partial(self._step, left_over=left_over),
                    patience=STRIKE_PATIENCE,
                    what=f"a process that reaches one of {sorted(point.name for point in plan.armed())}",
                )
            except AssertionError as error:
                raise AssertionError(f"{error}; {self._so_far(plan.struck()[before:])}") from None
            if not waiting and not plan.armed():
                return plan.struck()[before:]

    def _so_far(self, strikes: Sequence[Struck]) -> str:
        told = [f"{time.time() - each.at:.1f} s ago {each.fault.name} at {each.point}" for each in strikes]
        try:
            unfinished = self.stage.ask("unfinished")
        except (AssertionError, OSError) as error:
            unfinished = error
        return f"strikes: {told}; open tasks: {unfinished}"

    def _step(self, *, left_over: int) -> bool:
        """Go on feeding. True: nothing is broken, and no more than so many strikes still wait."""
        if self.stage.busy:
            return False
        self.stage.plan.arm_lost()
        self._provoke()
        self.keep_fed()
        return len(self.stage.plan.armed()) <= left_over

    def _provoke(self) -> None:
        armed = self.stage.plan.armed()
        due = time.monotonic() - self.provoked > PROVOKE_AGAIN
        if armed & PROVOKED and Failpoint.AFTER_CLAIM not in armed and due:
            self.provoked = time.monotonic()
            self.stage.plan.arm(Failpoint.AFTER_CLAIM, Fault.KILL_CHILD)

    def finish(self) -> list[dict[str, Any]]:
        """Wait until nothing runs any more, and return every run."""

        def over() -> bool:
            return not self.stage.busy and self.running() == 0

        try:
            self.stage.wait(over, patience=END_PATIENCE, what="the end of every run")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.stage.ask('unfinished')}") from None
        found: list[dict[str, Any]] = self.stage.ask("runs", self.ids)
        return found


def slow_workflow(path: Path) -> Path:
    """Write the example with a push to a URL in the place of a local repository, and return where it is."""
    text = EXAMPLE.read_text()
    changed = text.replace('repository_name: "${{ inputs.name }}"', 'url: "${{ inputs.url }}"')
    changed = changed.replace("name: publish-service\n", "name: publish-slowly\n", 1)
    changed = changed.replace("    greeting:\n", "    url: {type: string}\n    greeting:\n", 1)
    assert changed.count("inputs.url") == 1
    path.write_text(changed)
    return path


def _delay_pushes(server: GitHttpServer, name: str) -> None:
    hook = server.folder / name / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nexec sleep {SLOW_PUSH}\n")
    hook.chmod(0o755)
