"""Keeps definitions: each wording is a version, and a version never changes.

The callers have checked whose definition the user may save.
"""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.db.models import Max

from backend.apps.authentication.models import User
from backend.apps.workflows.definitions.definition import Definition
from backend.apps.workflows.definitions.taken_secrets import take_secrets
from backend.apps.workflows.models import Workflow, WorkflowVersion


def save_definition(
    definition: Definition, *, owner: User | None = None, project_id: UUID | None = None
) -> WorkflowVersion:
    """Return the version with this definition's wording; a new one when the workflow has none like it yet.

    owner, project_id: whose the workflow is, one of them; the installation's without either. The name is looked for
        there alone: another one's workflow of the same name stays as it is.

    A literal secret in a step's config is not stored: it becomes an input of the version, and the version that is
    returned has it in `taken`, so that an execution which is started with it has it too.
    Raises InvalidInput, which repeats no secret, for what cannot be one, and where one stands elsewhere too.
    """
    definition, taken = take_secrets(definition)
    version = _saved(definition, owner=owner, project_id=project_id)
    version.taken = taken
    return version


def _saved(definition: Definition, *, owner: User | None, project_id: UUID | None) -> WorkflowVersion:
    with transaction.atomic():
        workflow, _ = Workflow.objects.get_or_create(name=definition.name, owner=owner, project_id=project_id)
        # The workflow's row is locked, so that two at once do not give out one number twice.
        Workflow.objects.select_for_update().get(pk=workflow.pk)
        known = workflow.versions.filter(digest=definition.digest).first()
        if known is not None:
            return known
        newest = workflow.versions.aggregate(newest=Max("number"))["newest"] or 0
        return WorkflowVersion.objects.create(
            workflow=workflow, number=newest + 1, definition=definition.data, digest=definition.digest
        )
