"""Deletes a project: its rows at once, in one transaction, and its files by a task that is recorded in the same one.

So a crash leaves either all of the project or a task that removes what is left of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

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
from backend.errors import Conflict
from backend.identifiers import read_id

REMOVE = "generation.remove_project"

_Execution = WorkflowExecution.Status
_Task = TaskExecution.Status


@transaction.atomic
def delete_project(*, user: User, project_id: UUID) -> None:
    """Delete a project with its stories, sprints, generations, archives and deliveries, and its members' places in it.

    Its executions stay, as their users' own, and so do those of its workflows that they are of: these can be seen by
    operators, and run again by who sees the execution. Raises NotFound or PermissionRefused as `get_project` does, and
    Conflict while work on it is not finished.
    """
    project = get_project(user=user, project_id=project_id, right=Right.OWN)
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
        key=f"remove-project:{project.pk}",
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
