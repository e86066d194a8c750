"""The driver's hand and eye in a stage: starts runs and reads what became of them, and is never struck itself.

    python -m tests.integration.chaos.console [--three-times]

It reads one JSON array a line, [function, argument, ...], and answers with one JSON value a line.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backend.cli.django_setup import setup_django
from tests.integration.chaos.messages import deliver_three_times

PATIENCE = 120.0
"""Seconds that an answer may take: SQLite waits 30 for its lock, which several stopped processes may hold in turn."""


def prepare() -> bool:
    """Make the database and the operator."""
    from backend.cli.stack.migrate import prepare_database

    prepare_database()
    return True


def start(file: str, name: str, inputs: dict[str, Any]) -> str:
    """Start a run of a workflow file in a project of its own, unless a run of that name is there; return its id."""
    from django.db import transaction

    from backend.apps.authentication.models import User
    from backend.apps.projects.services.planning import create_project
    from backend.apps.workflows.definitions.check import read_definition_file
    from backend.apps.workflows.models import WorkflowExecution
    from backend.apps.workflows.services import save_definition, start_execution

    there = WorkflowExecution.objects.filter(input_data__name=name).first()
    if there is not None:
        return str(there.pk)
    user = User.objects.get(username="operator")
    version = save_definition(read_definition_file(Path(file)))
    with transaction.atomic():
        project = create_project(user=user, name=name)
        given = {"project": str(project.pk), "name": name, **inputs}
        execution = start_execution(
            version=version, inputs=given, user=user, project_id=project.pk, project_name=project.slug
        )
    return str(execution.pk)


def standing() -> dict[str, int]:
    """Count the runs by status."""
    from backend.apps.workflows.models import WorkflowExecution

    return dict(Counter(WorkflowExecution.objects.values_list("status", flat=True)))


def unfinished() -> list[Any]:
    """Return what is not done: name, step, method, status and attempt of each open task."""
    from backend.apps.workflows.models import TaskExecution

    rows = TaskExecution.objects.filter(status__in=["pending", "running"], ready=True)
    columns = ("execution__input_data__name", "method", "status", "attempt", "publish_count", "next_publish_at")
    return [[str(value) for value in row] for row in rows.values_list(*columns, "error")]


def runs(ids: list[str]) -> list[dict[str, Any]]:
    """Return everything that is known about these runs; of one that is not there, its id alone."""
    from backend.apps.workflows.models import WorkflowExecution

    there = {str(pk) for pk in WorkflowExecution.objects.filter(pk__in=ids).values_list("pk", flat=True)}
    return [_run(each) if each in there else {"id": each} for each in ids]


def _run(identifier: str) -> dict[str, Any]:
    from backend.apps.exports.models import RepositoryExport
    from backend.apps.projects.models import Archive, GeneratedProject, Story
    from backend.apps.workflows.models import ExecutionEvent, TaskExecution, WorkflowExecution

    run = WorkflowExecution.objects.get(pk=identifier)
    events = ExecutionEvent.objects.filter(execution=run).order_by("sequence")
    tasks = TaskExecution.objects.filter(execution=run).order_by("step__position", "position")
    project = str(run.project_id)
    generations = GeneratedProject.objects.filter(project_id=project)
    return {
        "id": identifier,
        "name": run.input_data["name"],
        "project": project,
        "status": run.status,
        "error": run.error,
        "outputs": run.output_data,
        "state": run.state,
        "started": run.started_at.timestamp() if run.started_at else 0,
        "completed": run.completed_at.timestamp() if run.completed_at else 0,
        "events": [
            {
                "sequence": event.sequence,
                "kind": event.kind,
                "step": event.step_id,
                "task": str(event.task_id) if event.task_id else None,
                "data": event.data,
                "at": event.created_at.timestamp(),
            }
            for event in events
        ],
        "tasks": [
            {
                "id": str(task.pk),
                "method": task.method,
                "status": task.status,
                "attempt": task.attempt,
                "retries": task.retries,
                "completed": task.completed_at.timestamp() if task.completed_at else 0,
            }
            for task in tasks
        ],
        "stories": sorted(Story.objects.filter(project_id=project).values_list("title", flat=True)),
        "generations": list(generations.values_list("status", "commit")),
        "archives": list(
            Archive.objects.filter(generated_project__in=generations).values_list(
                "path", "size", "digest", "commit", "format"
            )
        ),
        "exports": list(
            RepositoryExport.objects.filter(generated_project__in=generations).values_list(
                "status", "repository_url", "commit"
            )
        ),
    }


FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function for function in (prepare, start, standing, unfinished, runs)
}


def answer(function: str, arguments: list[Any]) -> Any:
    """Do one thing, again while the database is away."""
    from django.db import DatabaseError, InterfaceError, close_old_connections, connection

    deadline = time.monotonic() + PATIENCE
    while True:
        close_old_connections()
        try:
            return FUNCTIONS[function](*arguments)
        except (DatabaseError, InterfaceError):
            if time.monotonic() > deadline:
                raise
            connection.close()
            time.sleep(0.2)


def main() -> None:
    """Answer until the input ends."""
    setup_django()
    if "--three-times" in sys.argv:
        deliver_three_times()
    for line in sys.stdin:
        function, *arguments = json.loads(line)
        sys.stdout.write(json.dumps(answer(function, arguments), default=str) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
