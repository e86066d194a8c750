"""Keeps the secrets among an execution's inputs: sealed when it starts, given on to a rerun, forgotten when it is over.

What opens them is the task that needs one; see `backend.apps.credentials.services.sealing`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from backend.apps.authentication.models import User
from backend.apps.credentials.models import SealedSecret
from backend.apps.credentials.services.literal_secrets import as_secret
from backend.apps.credentials.services.sealed_secrets import is_reference, seal, unseal
from backend.apps.workflows.definitions.secret_inputs import is_secret_input
from backend.apps.workflows.models import TaskExecution, WorkflowExecution
from backend.errors import InvalidInput, NotFound

KEPT_AFTER_FAILURE = timedelta(days=7)
"""How long a failed execution's secrets are kept: it may be resumed. Those of any other go when it has ended."""


def seal_inputs(inputs: Mapping[str, Any], *, schema: Mapping[str, Any], execution_id: UUID) -> dict[str, Any]:
    """Return the inputs with references in place of the secrets among them, which are kept for this execution.

    Raises InvalidInput, which repeats no secret, for what cannot be one, and for one that is another input too.
    """
    secrets = {
        name: as_secret(value, field=f"inputs.{name}")
        for name, value in inputs.items()
        if is_secret_input(schema, name) and isinstance(value, str) and value
    }
    return {
        name: seal(secrets[name], execution_id=execution_id) if name in secrets else value
        for name, value in inputs.items()
    }


def inputs_again(
    execution: WorkflowExecution, *, user: User, given: Mapping[str, Any], without: Collection[str] = ()
) -> dict[str, Any]:
    """Return an execution's inputs as they were given, with others in place of some, to run it again for `user`.

    without: names of those that are left out.
    Raises InvalidInput, which says to give it again, for a secret that is gone, or that somebody else had given.
    """
    schema = execution.version.definition.get("inputs", {})
    old = {name: value for name, value in execution.input_data.items() if name not in without}
    inputs = {**old, **given}
    for name, value in old.items():
        if name not in given and is_reference(value) and is_secret_input(schema, name):
            inputs[name] = _opened(value, name=name, execution=execution, user=user)
    return inputs


def forget_spent(*, now: datetime) -> int:
    """Remove the secrets of executions, and of tasks on their own, that will not need them any more.

    A completed or cancelled execution is over; a failed one may be resumed for KEPT_AFTER_FAILURE. A task on its own
    that has failed is over too. Returns how many secrets there were.
    """
    over = Q(status__in=[WorkflowExecution.Status.COMPLETED, WorkflowExecution.Status.CANCELLED])
    old = Q(status=WorkflowExecution.Status.FAILED, completed_at__lt=now - KEPT_AFTER_FAILURE)
    executions = WorkflowExecution.objects.exclude(over | old).filter(pk=OuterRef("execution_id"))
    Status = TaskExecution.Status  # noqa: N806  (a class)
    open_tasks = TaskExecution.objects.filter(
        pk=OuterRef("execution_id"), status__in=[Status.PENDING, Status.RUNNING, Status.IN_DOUBT]
    )
    return SealedSecret.objects.exclude(Exists(executions) | Exists(open_tasks)).delete()[0]


def _opened(reference: str, *, name: str, execution: WorkflowExecution, user: User) -> str:
    try:
        if execution.user_id == user.pk:
            return unseal(reference, execution_id=execution.pk).reveal()
        why = "somebody else had given it"
    except NotFound:
        why = "it is not kept longer than its execution needs it"
    raise InvalidInput(
        f"The input {name!r} is a secret, and {why}.", field=f"inputs.{name}", hint="Give it again with the new run."
    )
