"""Deletes a project: its rows at once, in one transaction, and its files by a task that is recorded in the same one.

So a crash leaves either all of the project or a task that removes what is left of it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import transaction

from backend.apps.authentication.models import User
from backend.apps.authentication.roles import Right
from backend.apps.projects.models import GeneratedProject, Project
from backend.apps.projects.selectors import get_project
from backend.apps.projects.services.archive_storage import remove_archives
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.pack_storage import remove_packs
from backend.apps.projects.services.project_generator import ProjectGenerator
from backend.apps.workflows.models import TaskExecution, Workflow, WorkflowExecution
from backend.apps.workflows.services.enqueue import enqueue_method
from backend.errors import Conflict, RepomillError
from backend.identifiers import read_id

REMOVE = "generation.remove_project"
KEY = "remove-project:"
AT_ONCE = 500
logger = logging.getLogger(__name__)

_Execution = WorkflowExecution.Status
_Task = TaskExecution.Status


@transaction.atomic
def delete_project(*, user: User, project_id: UUID) -> None:
    """Delete a project with its stories, sprints, generations, archives and deliveries, and its members' places in it.

    Its executions stay, as their users' own, and so do those of its workflows that they are of: these can be seen by
    operators, and run again by who sees the execution. Raises NotFound or PermissionRefused as `get_project` does, and
    Conflict while work on it is not finished.
    """
    project = get_project(user=user, project_id=project_id, right=Right.OWN, lock=True)
    _require_rest(project)
    generations = GeneratedProject.objects.filter(project=project).values_list("pk", flat=True)
    arguments = {"project_id": str(project.pk), "generations": [str(each) for each in generations]}
    # What was done on it is not the members' any more, for there are none; its user may still look at it.
    WorkflowExecution.objects.filter(project_id=project.pk).update(project_id=None)
    TaskExecution.objects.filter(project_id=project.pk).update(project_id=None)
    Workflow.objects.filter(project_id=project.pk, executions=None).delete()
    enqueue_method(
        method=REMOVE,
        arguments=arguments,
        key=f"{KEY}{project.pk}",
        user=user,
        project_name=project.name,
    )
    project.delete()


def remove_files(*, project_id: str, generations: Sequence[str]) -> None:
    """Remove what lies on the disk and in the archives' storage of a project that was deleted. May be repeated.

    Raises InvalidInput for what is no id, and Conflict for what is still there in the database: nobody's files are
    removed before their rows.
    """
    project, made = (
        read_id(project_id, field="project_id"),
        [read_id(each, field="generations") for each in generations],
    )
    ids = [project, *made]
    if Project.objects.filter(pk__in=ids).exists() or GeneratedProject.objects.filter(pk__in=ids).exists():
        raise Conflict("The project has not been deleted.", field="project_id", hint="Delete the project.")
    for generation in made:
        ProjectGenerator(str(project), generation_id=str(generation)).cleanup()
        remove_archives(folder=str(generation))
    ProjectGenerator(str(project)).cleanup()
    GitStore.for_project(project).remove()
    remove_packs(project_id=project)


def remove_left_behind() -> int:
    """Remove what this host has fetched of projects whose files another host has removed. Returns of how many.

    That a removal is recorded decides, and not that the project is missing: it is also missing from a database that was
    restored from a backup, and must not lose its history then.
    """
    there = sorted(path.stem for path in Path(settings.GIT_STORES_DIR).glob("*.git"))
    removed = 0
    for begin in range(0, len(there), AT_ONCE):
        keys = [f"{KEY}{name}" for name in there[begin : begin + AT_ONCE]]
        for removal in TaskExecution.objects.filter(method=REMOVE, key__in=keys, status=_Task.COMPLETED):
            try:
                remove_files(**removal.arguments)
            except (RepomillError, OSError) as error:
                logger.warning("what is left of a project stays for now (%s): %s", removal.key, type(error).__name__)
            else:
                removed += 1
    return removed


def _require_rest(project: Project) -> None:
    executions = WorkflowExecution.objects.filter(
        project_id=project.pk, status__in=[_Execution.PENDING, _Execution.RUNNING]
    )
    busy = executions.count()
    tasks = TaskExecution.objects.filter(project_id=project.pk, status__in=[_Task.PENDING, _Task.RUNNING])
    alone = tasks.filter(execution=None).count()
    if busy or alone:
        raise Conflict(
            f"Work on the project is not finished: {busy} executions and {alone} tasks of their own.",
            hint="Cancel the executions, or wait for them.",
            executions=busy,
            tasks=alone,
        )
