"""Keeps the inputs of a workflow by a name, for the user who has given them. No secret is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from backend.apps.authentication.models import User
from backend.apps.workflows.definition_selectors import get_workflow
from backend.apps.workflows.definitions.json_values import check_json
from backend.apps.workflows.definitions.secret_inputs import is_secret_input
from backend.apps.workflows.models import SavedInputs, Workflow
from backend.errors import Conflict, InvalidInput, NotFound

LONGEST_NAME = 100
MOST = 50
"""Names that one user may have for one workflow."""


def save_inputs(
    *, user: User, workflow: Workflow, name: str, inputs: Mapping[str, Any], schema: Mapping[str, Any]
) -> SavedInputs:
    """Keep inputs by a name; those that the user has kept by it before are replaced.

    inputs: they need not be complete, and what is secret by the schema is left out. schema: of the workflow's inputs.
    Raises InvalidInput for a name that is none, Conflict where the user has kept too many.
    """
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise InvalidInput("Give the inputs a name.", field="name", expected=f"1 to {LONGEST_NAME} characters")
    plain = {key: value for key, value in inputs.items() if not is_secret_input(schema, key)}
    check_json(plain, where="inputs")
    mine = SavedInputs.objects.filter(user=user, workflow=workflow)
    if not mine.filter(name=name).exists() and mine.count() >= MOST:
        raise Conflict(
            f"You have kept inputs of this workflow by {MOST} names.", hint="Remove one that you do not need."
        )
    saved, new = SavedInputs.objects.update_or_create(
        user=user, workflow=workflow, name=name, defaults={"inputs": plain}
    )
    saved.replaced = not new
    saved.left_out = tuple(key for key in inputs if key not in plain)
    return saved


def saved_inputs(*, user: User, workflow: Workflow) -> QuerySet[SavedInputs]:
    """Return what the user has kept of a workflow, by name, without the inputs themselves."""
    return SavedInputs.objects.filter(user=user, workflow=workflow).defer("inputs").order_by("name")


def get_saved_inputs(*, user: User, saved_id: UUID) -> SavedInputs:
    """Return one of the user's. Raises NotFound; another's is none."""
    found = SavedInputs.objects.filter(user=user, pk=saved_id).select_related("workflow").first()
    if found is None:
        raise NotFound("There are no such saved inputs.", field="saved")
    return found


def saved_inputs_of(*, user: User, workflow_id: UUID, saved_id: UUID) -> SavedInputs:
    """Return one of the user's that is for that workflow. Raises NotFound, also where they see the workflow no more."""
    workflow = get_workflow(user=user, workflow_id=workflow_id)
    found = get_saved_inputs(user=user, saved_id=saved_id)
    if found.workflow_id != workflow.pk:
        raise NotFound("There are no such saved inputs.", field="saved")
    return found


def remove_saved_inputs(*, user: User, saved_id: UUID) -> Workflow:
    """Forget one of the user's, and return the workflow it was for. Raises NotFound."""
    found = get_saved_inputs(user=user, saved_id=saved_id)
    found.delete()
    return found.workflow
