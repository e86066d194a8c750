"""The memory of a worker's pool over ten thousand tasks."""

from __future__ import annotations

from pathlib import Path

from backend.apps.authentication.models import User
from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.models import WorkflowExecution, WorkflowVersion
from backend.apps.workflows.services import save_definition, start_execution
from backend.cli.stack.broker import EmbeddedBroker
from backend.cli.stack.migrate import prepare_database
from benchmarks import noop
from benchmarks.chain import worker
from benchmarks.measure import Row, Skipped, until

TASKS = 10_000
WARM = 2_000
"""Tasks until caches are full and every import has been made."""
AT_ONCE = 200
"""Runs under way at the same time. More would measure the queue."""
MARK = 1.05


def measure(folder: Path, *, quick: bool) -> list[Row | Skipped]:
    """Return the memory of a running worker's pool after all tasks against that after the first of them."""
    if not Path("/proc/self/status").exists():
        return [Skipped("memory of a worker", "this system does not tell a process's memory")]
    assert noop.noop.name == "agents.noop"
    prepare_database()
    warm, all_of_them = (60, 300) if quick else (WARM, TASKS)
    steps = [{"id": "noops", "type": "three_noops"}]
    version = save_definition(check_definition({"name": "endurance", "steps": steps}))
    user = User.objects.get(username="operator")
    with EmbeddedBroker(folder), worker("backend.config.celery", "agents") as ours:
        _do(warm, version=version, user=user)
        early = _memory_of_pool(ours.pid)
        _do(all_of_them - warm, version=version, user=user)
        late = _memory_of_pool(ours.pid)
    return [
        Row(
            what=f"memory of a worker's pool after {all_of_them:,} tasks",
            ours=f"{late / 1e6:.1f} MB",
            against=f"after {warm:,}",
            theirs=f"{early / 1e6:.1f} MB",
            ratio=late / early,
            spread=(late / early, late / early),
            better="lower",
            mark=MARK,
        )
    ]


def _do(tasks: int, *, version: WorkflowVersion, user: User) -> None:
    left = tasks // 3
    while left > 0:
        for _ in range(min(left, AT_ONCE)):
            start_execution(version=version, inputs={}, user=user)
        left -= AT_ONCE
        until(lambda: not WorkflowExecution.objects.filter(status="running").exists(), pause=0.05)


def _memory_of_pool(main: int) -> float:
    """Return the resident memory of a worker's pool processes, in bytes."""
    children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
    total = 0.0
    for child in children:
        for line in Path(f"/proc/{child}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1]) * 1024
    return total
