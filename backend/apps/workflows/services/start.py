"""Starts executions."""

from __future__ import annotations

import copy
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.utils import timezone

from backend.apps.authentication.grants import as_json
from backend.apps.authentication.models import User
from backend.apps.workflows.definitions.definition import Definition
from backend.apps.workflows.definitions.json_values import check_json
from backend.apps.workflows.definitions.rendering import shown
from backend.apps.workflows.definitions.schema import check
from backend.apps.workflows.definitions.secret_inputs import without_secrets
from backend.apps.workflows.execution.advance import advance
from backend.apps.workflows.execution.events import History
from backend.apps.workflows.execution.reading import definition_of
from backend.apps.workflows.execution.statements import insert, one_journey
from backend.apps.workflows.models import StepExecution, WorkflowExecution, WorkflowVersion
from backend.apps.workflows.services.secret_inputs import seal_inputs
from backend.errors import InvalidInput, PermissionRefused
from backend.telemetry import tracing


def start_execution(
    *,
    version: WorkflowVersion,
    inputs: dict[str, Any],
    user: User,
    project_id: UUID | None = None,
    project_name: str = "",
    rerun_of: UUID | None = None,
) -> WorkflowExecution:
    """Record an execution of a workflow version and send its first steps to the workers.

    inputs: JSON that fits the version's input schema; top-level defaults are filled in. Secrets among them are kept
        encrypted, for this execution alone. What `save_definition` took out of the wording is given with them.
    user: in whose name it runs; with a grant, it does no more than the grant allows, for as long as its token is good.
    project_id, project_name: what the work is done on. The caller has checked that `user` may.
    rerun_of: the execution that this one repeats, for the history.

    Once this returns the execution is durable: it runs when workers and broker are there, whenever that is.
    Raises InvalidInput with the field, or PermissionRefused for a deactivated user; nothing is recorded then.
    """
    if not user.is_active:
        raise PermissionRefused("The user is deactivated.")
    definition = definition_of(version.pk)
    complete = check_inputs(definition, {**{name: taken.reveal() for name, taken in version.taken.items()}, **inputs})
    # The span is entered first, so that the row keeps what continues it.
    with tracing.span("start run", kind="producer") as span, transaction.atomic():
        execution_id = uuid4()
        execution = WorkflowExecution(
            id=execution_id,
            workflow_id=version.workflow_id,
            version=version,
            user=user,
            project_id=project_id,
            project_name=project_name[:200],
            status=WorkflowExecution.Status.RUNNING,
            input_data=seal_inputs(complete, schema=definition.inputs, execution_id=execution_id),
            started_at=timezone.now(),
            trace_parent=tracing.traceparent(),
            grant=as_json(user.grant),
        )
        span.note(run=str(execution.pk))
        steps = [
            StepExecution(execution=execution, step_id=step.id, step_type=step.type, position=position)
            for position, step in enumerate(definition.steps)
        ]
        history = History(execution.pk)
        history.add(
            "execution_started",
            version=version.number,
            user=user.get_username(),
            rerun_of=str(rerun_of) if rerun_of else None,
        )
        with one_journey():
            # They are inserted as they stand after the first steps have begun; foreign keys are checked at the commit.
            advance(execution, history, {step.step_id: step for step in steps})
            insert([execution])
            insert(steps)
            history.write()
    return execution


def check_inputs(definition: Definition, inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs with the schema's defaults filled in. Raises InvalidInput with the field."""
    check_json(inputs, where="inputs")
    complete = copy.deepcopy(inputs)
    for name, schema in definition.inputs.get("properties", {}).items():
        if isinstance(schema, dict) and "default" in schema:
            complete.setdefault(name, copy.deepcopy(schema["default"]))
    if misfit := check(complete, definition.inputs):
        misfit = without_secrets(misfit, complete, definition.inputs)
        field = shown(("inputs", *misfit.path))
        raise InvalidInput(misfit.sentence, field=field, expected=misfit.expected)
    return complete
