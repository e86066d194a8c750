"""What reads workflows and their versions. Definitions are shared: whoever has an account may read them."""

from __future__ import annotations

from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery, TextField, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce

from backend.apps.workflows.models import Workflow, WorkflowVersion
from backend.errors import NotFound

LARGEST_NUMBER = 2**31 - 1


def workflows(*, search: str = "", ordering: str = "name") -> QuerySet[Workflow]:
    """Return workflows with `newest`, the number of their newest version, and `description`, what that one says.

    search: what the name contains. ordering: `name` or `created_at`, with a `-` for the reverse.
    """
    newest = WorkflowVersion.objects.filter(workflow=OuterRef("pk")).order_by("-number")
    rows = Workflow.objects.annotate(
        newest=Subquery(newest.values("number")[:1]),
        description=Coalesce(
            Subquery(newest.annotate(text=KT("definition__description")).values("text")[:1]),
            Value(""),
            output_field=TextField(),
        ),
    )
    if search:
        rows = rows.filter(name__icontains=search)
    return rows.order_by(ordering, "pk")


def get_workflow(*, workflow_id: UUID) -> Workflow:
    """Return the workflow as `workflows` does. Raises NotFound."""
    found = workflows().filter(pk=workflow_id).first()
    if found is None:
        raise _no_workflow(str(workflow_id))
    return found


def versions_of(*, workflow_id: UUID) -> QuerySet[WorkflowVersion]:
    """Return a workflow's versions, newest first, without their wording. Raises NotFound where there is no workflow."""
    if not Workflow.objects.filter(pk=workflow_id).exists():
        raise _no_workflow(str(workflow_id))
    return WorkflowVersion.objects.filter(workflow_id=workflow_id).select_related("workflow").defer("definition")


def get_version(*, workflow: UUID | str, number: int | None = None) -> WorkflowVersion:
    """Return a version of the workflow of that id or name. number: the newest when absent. Raises NotFound."""
    rows = WorkflowVersion.objects.select_related("workflow").order_by("-number")
    identifier = workflow if isinstance(workflow, UUID) else _as_uuid(workflow)
    rows = rows.filter(workflow_id=identifier) if identifier else rows.filter(workflow__name=workflow)
    if number is not None:
        rows = rows.filter(number=number if 0 < number <= LARGEST_NUMBER else 0)
    found = rows.first()
    if found is None:
        if number is not None:
            raise NotFound(f"There is no version {number} of this workflow.", field="version")
        raise _no_workflow(str(workflow))
    return found


def _no_workflow(reference: str) -> NotFound:
    return NotFound(f"There is no workflow {reference[:100]!r}.", field="workflow")


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
