"""Who may see and control which execution. The one door to an execution for everything a user asks for.

An execution on a project belongs to the project: its members see it, by their role. One without a project is its user's
alone. Operators see and control all. This app lies below the projects and knows none: it asks `project_access`. It
reads; it changes nothing.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from backend.apps.authentication.models import User
from backend.apps.authentication.project_access import KnownProject, project_access
from backend.apps.authentication.roles import Right, Role, granted, is_operator, lowest_role_with, may
from backend.apps.workflows.models import TaskExecution, WorkflowExecution
from backend.errors import NotFound, PermissionRefused

LARGE = ("input_data", "output_data", "state", "version__definition")
"""The columns of an execution that a list does not need."""


def find_project(*, user: User, reference: str, right: Right) -> KnownProject:
    """Return the project of that id or slug, in which the user has the right; see `ProjectAccess.find`."""
    return project_access().find(user, reference, right)


def home_of(*, user: User, project: str | None) -> dict[str, Any]:
    """Return whose a definition becomes that the user saves, as `save_definition` takes it.

    project: an id or a slug; the project's members see it then. Without one it is the user's own, and an operator's is
    the installation's. Raises NotFound for a project that the user may not see, PermissionRefused where they may not
    write in it, or where the token is for one project alone.
    """
    if project:
        return {"owner": None, "project_id": find_project(user=user, reference=project, right=Right.WRITE).id}
    if user.grant is not None and user.grant.project_id is not None:
        raise PermissionRefused("The token is for one project alone.", field="project", hint="Name the project.")
    return {"owner": None if is_operator(user) else user, "project_id": None}


def visible_executions(*, user: User) -> QuerySet[WorkflowExecution]:
    """Return the executions that the user may see, newest first; none for an inactive user."""
    return WorkflowExecution.objects.filter(_visible(user))


def visible_parts(*, user: User, most: int) -> list[QuerySet[WorkflowExecution]]:
    """Return what `visible_executions` does in parts that share no row, each of one project or of one user.

    An index has each of them in its order, and none has all of them together. most: how many parts; everything is one
    part where there would be more.
    """
    if not user.is_active or (is_operator(user) and user.grant is None):
        return [visible_executions(user=user)]
    everything = user.grant is None or user.grant.project_id is None
    if everything and is_operator(user):
        return [visible_executions(user=user)]
    projects = list(project_access().visible_ids(user)[:most])
    if len(projects) >= most:
        return [visible_executions(user=user)]
    parts = [WorkflowExecution.objects.filter(project_id=identifier) for identifier in projects]
    own = [WorkflowExecution.objects.filter(project_id=None, user=user)] if everything else []
    return own + parts or [WorkflowExecution.objects.none()]


def visible_tasks(*, user: User) -> QuerySet[TaskExecution]:
    """Return the tasks that the user may see: those of the executions they see, and theirs outside of any."""
    return TaskExecution.objects.filter(_visible(user))


def role_towards(*, user: User, execution: WorkflowExecution | TaskExecution) -> Role | None:
    """Return what the user is to an execution, or a task, of a project or of nobody's; None for a stranger."""
    if not user.is_active:
        return None
    if execution.project_id is not None:
        return project_access().role_in(user, execution.project_id)
    if user.grant is not None and user.grant.project_id is not None:
        return None
    if is_operator(user):
        return Role.OPERATOR
    return Role.OWNER if execution.user_id == user.pk else None


def may_control(*, user: User, execution: WorkflowExecution | TaskExecution) -> bool:
    """Return whether the user may pause, resume, cancel, retry and settle: authors their own, maintainers all."""
    right = Right.RUN if execution.user_id == user.pk else Right.CONTROL
    return may(role_towards(user=user, execution=execution), right) and granted(user, right)


def get_execution(*, user: User, execution_id: UUID, control: bool = False, whole: bool = False) -> WorkflowExecution:
    """Return the execution with its workflow, version and user.

    control: also pause, resume, cancel, retry or settle it. whole: with its inputs, outputs, state and definition,
    which can be large; otherwise each is read by a query of its own when it is asked for.
    Raises NotFound where there is none or the user may not see it (the two look alike), and PermissionRefused where
    they may see but not control it.
    """
    rows = visible_executions(user=user).select_related("workflow", "version", "user")
    if not whole:
        rows = rows.defer(*LARGE)
    execution = rows.filter(pk=execution_id).first()
    if execution is None:
        raise NotFound(
            f"There is no execution '{execution_id}'.",
            field="execution",
            hint="Check the id, and that you are a member of its project.",
        )
    if control:
        _require_control(user=user, thing=execution, noun="execution")
    return execution


def get_task(*, user: User, task_id: UUID, control: bool = False) -> TaskExecution:
    """Return the task with its step, without its arguments. control: also settle it. Raises as `get_execution` does."""
    task = visible_tasks(user=user).select_related("step").defer("arguments").filter(pk=task_id).first()
    if task is None:
        raise NotFound(
            f"There is no task '{task_id}'.",
            field="task",
            hint="Check the id, and that you are a member of its project.",
        )
    if control:
        _require_control(user=user, thing=task, noun="task")
    return task


def _require_control(*, user: User, thing: WorkflowExecution | TaskExecution, noun: str) -> None:
    if not may_control(user=user, execution=thing):
        role = lowest_role_with(Right.RUN if thing.user_id == user.pk else Right.CONTROL)
        raise PermissionRefused(
            f"You may see this {noun} but not control it.",
            field=noun,
            hint=f"It takes the role {role} in its project, or another token.",
        )


def _visible(user: User) -> Q:
    if not user.is_active:
        return Q(pk__in=())
    if is_operator(user) and user.grant is None:
        return Q()
    projects = Q(project_id__in=project_access().visible_ids(user))
    if user.grant is not None and user.grant.project_id is not None:
        return projects
    if is_operator(user):
        return Q()
    return projects | Q(project_id=None, user=user)
