"""The memory of a worker's pool over ten thousand tasks."""

from __future__ import annotations

from pathlib import Path

from backend.apps.authentication.models import User
from backend.apps.workflows.models import WorkflowExecution, WorkflowVersion
from backend.apps.workflows.services import start_execution
from benchmarks.measure import Row, Skipped, until

TASKS = 10_000
WARM = 2_000
"""Tasks until caches are full and every import has been made."""
MARK = 1.05


def measure_pool(*, worker: int, version: WorkflowVersion, user: User, quick: bool) -> list[Row | Skipped]:
    """Return the memory of a running worker's pool after all tasks against that after the first of them.

    worker: the process id of its main process. version: a workflow of three links.
    """
    if not Path("/proc/self/status").exists():
        return [Skipped("memory of a worker", "this system does not tell a process's memory")]
    warm, all_of_them = (60, 300) if quick else (WARM, TASKS)

    def do(tasks: int) -> float:
        for _ in range(tasks // 3):
            start_execution(version=version, inputs={}, user=user)
        until(lambda: not WorkflowExecution.objects.filter(status="running").exists(), pause=0.05)
        return _memory_of_pool(worker)

    early = do(warm)
    late = do(all_of_them - warm)
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


def _memory_of_pool(main: int) -> float:
    """Return the resident memory of a worker's pool processes, in bytes."""
    children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
    total = 0.0
    for child in children:
        for line in Path(f"/proc/{child}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1]) * 1024
    return total
