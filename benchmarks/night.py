"""A night on the embedded stack: `repomill up`, ten thousand small projects, exported twice.

    python -m benchmarks.night FOLDER [--projects 10000] [--changed 50] [--prepare]

`--prepare` makes the projects in FOLDER, with a completed generation each and no history in git, and ends. Without it
those that are there are exported: all of them, and then, with a few changed, once more. While the first export is under
way, runs are started beside it and it is seen how long each waits for a worker.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Annotated, Any

import django
import typer
from rich.console import Console
from rich.table import Table

from tests.integration.installation import Installation

FILES = 5
EVERY = 0.05
"""The share of the projects after which another run is started beside the bulk export."""
REST = 12.0
LIKE_THE_PRODUCT = {"REPOMILL_LEASE_SECONDS": "30", "REPOMILL_RECONCILE_SECONDS": "5"}
RUN: dict[str, Any] = {
    "name": "beside",
    "steps": [
        {"id": "files", "type": "repo_creation", "config": {"structure": {"a.py": "x = 1\n"}, "export_type": "zip"}}
    ],
}


def main(
    folder: Path,
    projects: Annotated[int, typer.Option(help="How many there are to be.")] = 10_000,
    changed: Annotated[int, typer.Option(help="How many of them change before the second night.")] = 50,
    prepare: Annotated[bool, typer.Option("--prepare", help="Generate them, and end.")] = False,
) -> None:
    """Prepare a night, or measure it."""
    installation = Installation(folder.resolve(), **LIKE_THE_PRODUCT)
    folder.mkdir(parents=True, exist_ok=True)
    installation.cli("migrate")
    os.environ |= installation.environment | {"DJANGO_SETTINGS_MODULE": "backend.config.settings.base"}
    django.setup()
    if prepare:
        from benchmarks.portfolio import add_projects

        add_projects(projects, files=FILES, owner=_operator())
        return
    installation.start(patience=120)
    try:
        found = _measure(changed=changed, stack=installation)
    finally:
        installation.stop()
    _print(found)


def _measure(*, changed: int, stack: Installation) -> dict[str, Any]:
    from backend.apps.projects.models import Project
    from backend.apps.workflows.definitions.check import check_definition
    from backend.apps.workflows.services import save_definition

    version = save_definition(check_definition(RUN))
    beside, _ = Project.objects.get_or_create(slug="beside", defaults={"name": "beside", "owner": _operator()})
    # A first run makes what every worker makes once: imports, connections.
    _wait_for_run(_start_run(version, beside))
    with _memory(stack) as memory:
        first = _export(lambda: _start_run(version, beside))
        _change(changed)
        # A day lies between two nights: what the first has left to be written and tidied up is done by then.
        time.sleep(REST)
        second = _export(lambda: None)
    return {"first": first, "second": second, "memory": memory}


def _change(count: int) -> None:
    from backend.apps.projects.models import Project
    from benchmarks.portfolio import change

    projects = list(Project.objects.exclude(slug="beside"))
    change(projects[:: len(projects) // count][:count], files=FILES, owner=_operator())


def _operator() -> Any:
    from backend.apps.authentication.models import User

    return User.objects.get(username="operator")


def _start_run(version: Any, project: Any) -> Any:
    from backend.apps.workflows.services import start_execution

    return start_execution(
        version=version, inputs={}, user=_operator(), project_id=project.pk, project_name=project.slug
    )


def _export(beside: Any) -> dict[str, Any]:
    """Export everything that has changed, do `beside` now and then, and say how it went."""
    from django.utils import timezone

    from backend.apps.exports.bulk_selectors import progress_of
    from backend.apps.exports.models import BulkExport
    from backend.apps.exports.services.bulk_exports import start_bulk_export

    began = time.perf_counter()
    bulk = start_bulk_export(user=_operator(), selection={"kind": "all"}, export_type="tar.gz")
    started, runs, percents = 0.0, [], [0]
    while True:
        bulk = BulkExport.objects.get(pk=bulk.pk)
        progress = progress_of(bulk, now=timezone.now())
        percents.append(progress.percent)
        if bulk.completed_at is not None:
            break
        if bulk.status == "running" and progress.completed >= started + EVERY * progress.total:
            started = progress.completed
            runs.append(beside())
        time.sleep(0.1)
    taken = time.perf_counter() - began
    if bulk.status != "completed" or percents != sorted(percents) or percents[-1] != 100:
        raise RuntimeError(f"the night is {bulk.status}, and its bar went {percents}")
    return {
        "seconds": round(taken, 2),
        "planned_after": round((bulk.started_at - bulk.created_at).total_seconds(), 2) if bulk.started_at else None,
        "completed": progress.completed,
        "skipped": progress.skipped,
        "rate": round(progress.completed / taken, 1),
        "waits": [_wait_for_run(run) for run in runs if run is not None],
    }


def _wait_for_run(run: Any) -> dict[str, float]:
    """Return how long a run waited for its first task to begin, and its links after that for their turn, in seconds."""
    from backend.apps.workflows.models import TaskExecution, WorkflowExecution

    Installation.wait_until(
        lambda: WorkflowExecution.objects.filter(pk=run.pk, status="completed").exists(), patience=120, what="a run"
    )
    tasks = list(TaskExecution.objects.filter(execution=run).order_by("position"))
    moments = [run.created_at, *(task.completed_at for task in tasks)]
    waits = [(task.started_at - before).total_seconds() for task, before in zip(tasks, moments, strict=False)]
    return {"first": round(waits[0], 3), "longest": round(max(waits), 3)}


@contextmanager
def _memory(stack: Installation) -> Iterator[dict[str, float]]:
    """Watch the memory of the whole stack, in megabytes; what processes share is counted once."""
    found = {"at_first": 0.0, "most": 0.0}
    over = Event()

    def watch() -> None:
        while not over.wait(2.0):
            now = _megabytes(stack)
            found["at_first"] = found["at_first"] or now
            found["most"] = max(found["most"], now)

    watcher = Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        over.set()
        watcher.join()


def _megabytes(stack: Installation) -> float:
    total = 0
    for pid in stack.processes():
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return round(total / 1000, 1)


def _print(found: dict[str, Any]) -> None:
    table = Table(box=None, title="A night, and the one after it", title_justify="left")
    for name in ("", "seconds", "delivered", "skipped", "each second", "planned after"):
        table.add_column(name, no_wrap=True)
    for name in ("first", "second"):
        night = found[name]
        row = (night["seconds"], night["completed"], night["skipped"], night["rate"], night["planned_after"])
        table.add_row(name, *(str(value) for value in row))
    console = Console()
    console.print(table)
    waits = found["first"]["waits"]
    for word in ("first", "longest"):
        seconds = sorted(wait[word] for wait in waits)
        if seconds:
            told = f"{seconds[len(seconds) // 2]:.2f} s in the middle, {seconds[-1]:.2f} s at the most"
            console.print(f"{len(seconds)} runs beside it, {word} wait for a worker: {told}")
    console.print(
        f"memory of the stack: {found['memory']['at_first']:.0f} MB, at the most {found['memory']['most']:.0f}"
    )
    console.print(f"the second night is {found['second']['seconds'] / found['first']['seconds']:.4f} of the first")
    console.print(json.dumps(found))


if __name__ == "__main__":
    typer.run(main)
