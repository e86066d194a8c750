"""Starts the execution of a workflow that is to generate a project; its generation can be seen at once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction

from backend.apps.authentication.models import User
from backend.apps.authentication.roles import Right
from backend.apps.projects.models import GeneratedProject
from backend.apps.projects.selectors import get_project
from backend.apps.projects.services.generation_records import await_generation
from backend.apps.projects.services.organisation_limits import require_room_to_ask
from backend.apps.workflows import step_types
from backend.apps.workflows.definition_selectors import get_version
from backend.apps.workflows.execution.reading import definition_of
from backend.apps.workflows.models import WorkflowVersion
from backend.apps.workflows.services import start_execution
from backend.errors import InvalidInput


def start_generation(*, user: User, project_id: UUID, workflow_id: UUID, inputs: dict[str, Any]) -> GeneratedProject:
    """Start the newest version of a workflow on a project and return the generation that it is going to fill, pending.

    Both are recorded, or none. Where the execution ends without having generated anything, the generation is failed.
    Raises NotFound for the project or the workflow, PermissionRefused, InvalidInput for inputs that do not fit, and for
    a workflow without a step that generates files; and as `require_room_to_ask` does.
    """
    project = get_project(user=user, project_id=project_id, right=Right.RUN)
    version = get_version(user=user, workflow=workflow_id)
    _require_generating(version)
    with transaction.atomic():
        require_room_to_ask(project=project)
        execution = start_execution(
            version=version, inputs=inputs, user=user, project_id=project.pk, project_name=project.slug
        )
        return await_generation(project=project, user=user, execution_id=execution.pk)


def first_task(generation: GeneratedProject) -> UUID | None:
    """Return the id of the first task of a generation's execution, None where it has none."""
    execution = generation.workflow_execution
    if execution is None:
        return None
    return execution.tasks.order_by("created_at", "position").values_list("pk", flat=True).first()


def _require_generating(version: WorkflowVersion) -> None:
    kinds = {step.type for step in definition_of(version.pk).steps}
    if not any(kind.generates for kind in map(step_types.get, kinds) if kind is not None):
        raise InvalidInput(
            "The workflow has no step that generates files.",
            field="workflow_id",
            hint="Name one with such a step, or execute this one without waiting for a generation.",
        )
