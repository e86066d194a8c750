"""The verdict on a session: was anything lost, doubled or wrong, is it explained, and how long did it take."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.integration.chaos.stage import LEASE
from tests.integration.chaos.strikes import Fault, Struck
from tests.integration.trees import Tree, archive_tree, clone, files_of, tree_of

PROMISE = LEASE + 30.0
"""Seconds from a fault until the work goes on."""
ENDINGS = {"execution_completed", "execution_failed", "execution_cancelled"}
METHODS = [
    "agents.call",
    "export.export_to_git",
    "generation.generate",
    "generation.generate",
    "generation.package_project",
]
LOSSES = {"lease_expired", "message_lost"}
EXPLAINING = {*LOSSES, "task_waits"}
STRIKES_ALL = {
    Fault.FLUSH,
    Fault.KILL_BROKER,
    Fault.RESTART_DATABASE,
    Fault.KILL_WORKER,
    Fault.ORPHAN,
    Fault.FILL_DISK,
    Fault.NEW_CONTAINER,
}
"""Faults that others feel as well: their messages, their connections, their places in a pool."""
SHORT_PAUSES = 3
"""How many pauses of one task still count as time in which the work could have gone on: of 2, 4 and 8 s. A task that
was struck more often than that waits longer each time, as it should, and that is no fault's recovery."""
CALM = "calm-service"


@dataclass(frozen=True)
class Wrong:
    """One thing that is wrong with a run: `lost` is missing, `doubled` is there twice, `wrong` is anything else."""

    kind: Literal["lost", "doubled", "wrong"]
    words: str


class _Judge:
    """Collects what is wrong with one run."""

    def __init__(self, run: dict[str, Any]) -> None:
        self.run = run
        self.found: list[Wrong] = []

    def expect(self, right: bool, what: str, *, kind: Literal["lost", "doubled", "wrong"] = "wrong") -> None:
        if not right:
            self.found.append(Wrong(kind, f"{self.run['name']}: {what}"))

    def expect_one(self, things: list[Any], wanted: Any, what: str) -> None:
        """Expect one thing, as wanted."""
        kind: Literal["lost", "doubled", "wrong"] = "wrong" if len(things) == 1 else "doubled" if things else "lost"
        self.expect(things == [wanted], f"{what}: {things}", kind=kind)


def faults_of(run: dict[str, Any], *, data_dir: Path, expected: Tree, scratch: Path) -> list[Wrong]:
    """Return all that is wrong with a run; nothing is right but exactly what was asked for, once."""
    judge = _Judge(run)
    judge.expect(run["status"] == "completed", f"it is {run['status']}: {run['error']}", kind="lost")
    judge.expect_one(run["stories"], f"Publish {run['name']}", "stories")
    judge.expect_one([status for status, _ in run["generations"]], "completed", "generations")
    judge.expect_one([status for status, *_ in run["exports"]], "completed", "exports")
    judge.expect_one([format for *_, format in run["archives"]], "tar.gz", "archives")
    judge.expect(sorted(task["method"] for task in run["tasks"]) == METHODS, f"tasks {run['tasks']}")
    judge.expect({task["status"] for task in run["tasks"]} == {"completed"}, f"tasks {run['tasks']}")
    _judge_events(judge)
    if not judge.found:
        _judge_files(judge, data_dir=data_dir, expected=expected, scratch=scratch)
    return judge.found


def _judge_files(judge: _Judge, *, data_dir: Path, expected: Tree, scratch: Path) -> None:
    run = judge.run
    commit = run["generations"][0][1]
    path, size, digest, packed, _ = run["archives"][0]
    archive = data_dir / "archives" / path
    content = archive.read_bytes()
    judge.expect((len(content), hashlib.sha256(content).hexdigest(), packed) == (size, digest, commit), "its archive")
    # An attempt that was killed while it wrote can leave a hidden part behind; it never had an archive's name.
    named = [each.name for each in archive.parent.iterdir() if not each.name.startswith(".")]
    judge.expect_one(named, archive.name, "files of the archive")
    judge.expect(archive_tree(archive) == expected, f"the archive holds {sorted(archive_tree(archive))}")
    result = run["state"]["steps"]["publish"]["result"]
    cloned = clone(result["clone_url"], scratch / run["name"])
    judge.expect(tree_of(cloned, directories=False) == files_of(expected), f"the clone holds {sorted(tree_of(cloned))}")
    judge.expect_one(_commits(cloned / ".git"), commit, "commits in the repository")
    judge.expect_one(_commits(data_dir / "git-stores" / f"{run['project']}.git"), commit, "commits in the store")


def _judge_events(judge: _Judge) -> None:
    events = judge.run["events"]
    numbers = [event["sequence"] for event in events]
    judge.expect(numbers == list(range(1, len(events) + 1)), f"the numbers of its events: {numbers}")
    judge.expect_one([event["kind"] for event in events if event["kind"] in ENDINGS], "execution_completed", "endings")
    for task in judge.run["tasks"]:
        mine = [event for event in events if event["task"] == task["id"]]
        done = [event["data"] for event in mine if event["kind"] == "task_completed"]
        judge.expect_one(["completed" for _ in done], "completed", f"{task['method']} completed")
        told = any(event["kind"] in EXPLAINING for event in mine) or any(said.get("took_over") for said in done)
        judge.expect(task["attempt"] == 1 or told, f"nothing says why {task['method']} took {task['attempt']} attempts")


def _commits(git_dir: Path) -> list[str]:
    done = subprocess.run(
        ["git", f"--git-dir={git_dir}", "rev-list", "--all"], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def expected_tree(calm: Tree, name: str) -> Tree:
    """Return what a run called `name` is to deliver, from what an undisturbed run delivered."""
    return {
        path: None if content is None else content.replace(CALM.encode(), name.encode())
        for path, content in calm.items()
    }


def recoveries(strikes: list[Struck], runs: list[dict[str, Any]]) -> dict[Struck, float]:
    """Return for each strike the seconds until the work went on.

    For one that struck one task: until that task was done; where it was done already, until its run went on. For one
    that struck all (the broker, the database) or nobody in particular: until each run under way had its next event.
    Where the same is struck once more before that, the time counts for the later strike; also where the task lost its
    next message, or the worker that took it over, to a later strike.
    """
    owners = {task["id"]: (run, task) for run in runs for task in run["tasks"]}
    found: dict[Struck, float] = {}
    for strike in strikes:
        later = [other for other in strikes if other.at > strike.at]
        if strike.fault in STRIKES_ALL or strike.task is None:
            under_way = [run for run in runs if run["started"] < strike.at]
            found[strike] = max((_going_on(run, strike.at, later) for run in under_way), default=0.0)
        elif strike.task in owners:
            run, task = owners[strike.task]
            ends = [other.at for other in later if other.task == strike.task]
            if task["completed"] > strike.at:
                ends.append(task["completed"])
            found[strike] = _struck_again(run, strike, later, min(ends)) if ends else _going_on(run, strike.at, later)
    return found


def _struck_again(run: dict[str, Any], strike: Struck, later: list[Struck], end: float) -> float:
    """Return the longest stretch from the strike to `end`, each of which ends where a later strike cost the task more.

    A loss that no strike explains ends none: that strike's own work was found late then.
    """
    longest, since, sent = 0.0, strike.at, strike.at
    mine = [event for event in run["events"] if event["task"] == strike.task]
    pauses = [event for event in mine if event["kind"] == "task_waits"][SHORT_PAUSES:]

    def stretch(start: float, stop: float) -> float:
        return stop - start - sum(_overlap(event["at"], event["data"]["seconds"], start, stop) for event in pauses)

    for at in (event["at"] for event in mine if event["kind"] in LOSSES and strike.at < event["at"] < end):
        guilty = [other.at for other in later if other.fault in STRIKES_ALL and sent < other.at < at]
        if guilty:
            longest, since = max(longest, stretch(since, guilty[0])), guilty[0]
        sent = at
    return max(longest, stretch(since, end))


def _overlap(at: float, seconds: float, start: float, stop: float) -> float:
    """Return how much of a pause lies between two moments."""
    return max(0.0, min(at + seconds, stop) - max(at, start))


def _going_on(run: dict[str, Any], after: float, later: list[Struck]) -> float:
    mine = {task["id"] for task in run["tasks"]}
    ends = [event["at"] for event in run["events"] if event["at"] > after]
    if ends:
        ends += [other.at for other in later if other.fault in STRIKES_ALL or other.task in mine]
    return min(ends) - after if ends else 0.0
