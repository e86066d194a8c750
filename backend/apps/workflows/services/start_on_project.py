"""Starts executions for whoever asks from outside: finds the version, and the project in which they may start work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from backend.apps.authentication.models import User
from backend.apps.authentication.project_access import KnownProject
from backend.apps.authentication.roles import Right
from backend.apps.workflows.access import find_project
from backend.apps.workflows.models import WorkflowExecution, WorkflowVersion
from backend.apps.workflows.services.start import start_execution
from backend.errors import InvalidInput


def start_on_project(
    *, version: WorkflowVersion, inputs: dict[str, Any], user: User, project: UUID | str | None = None
) -> WorkflowExecution:
    """Start an execution, and give the input `project` the project's id where the workflow asks for one of that name.

    project: an id or a slug; what the input `project` says when absent, and no project where that says nothing either.
    Raises NotFound for a project that the user may not see, PermissionRefused where they may not start work in it, and
    what `start_execution` raises.
    """
    asked = version.definition.get("inputs", {})
    found, inputs = project_and_inputs(asked, inputs=inputs, user=user, project=project)
    if found is None:
        return _started(start_execution(version=version, inputs=inputs, user=user))
    return _started(
        start_execution(version=version, inputs=inputs, user=user, project_id=found.id, project_name=found.name)
    )


def project_and_inputs(
    schema: Mapping[str, Any], *, inputs: dict[str, Any], user: User, project: UUID | str | None
) -> tuple[KnownProject | None, dict[str, Any]]:
    """Return the project in which the work is to be started, if any, and the inputs with it filled in.

    schema: of the workflow's inputs. Raises as `start_on_project` does of the project.
    """
    asks = "project" in schema.get("properties", {})
    named = inputs.get("project") if asks else None
    reference = str(project or named or "")
    if not reference:
        return None, inputs
    found = find_project(user=user, reference=reference, right=Right.RUN)
    if asks:
        if project and named and find_project(user=user, reference=str(named), right=Right.RUN) != found:
            raise InvalidInput("The input names another project.", field="input_data.project", expected=str(found.id))
        inputs = {**inputs, "project": str(found.id)}
    return found, inputs


def _started(execution: WorkflowExecution) -> WorkflowExecution:
    # Whoever shows it shows the workflow's name, which was read with the version.
    execution.workflow = execution.version.workflow
    return execution
