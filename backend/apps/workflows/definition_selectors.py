"""What reads workflows and their versions. Definitions are shared: whoever has an account may read them."""

from __future__ import annotations

from copy import copy
from functools import lru_cache
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery, TextField, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce

from backend.apps.workflows.execution.statements import Columns, as_value, fetch
from backend.apps.workflows.models import Workflow, WorkflowVersion
from backend.errors import NotFound

LARGEST_NUMBER = 2**31 - 1

_ID = Columns(WorkflowVersion, ["id"])
_FIND = (
    f'SELECT v."id" FROM "{WorkflowVersion._meta.db_table}" AS v'  # noqa: S608  (names of tables)
    f' JOIN "{Workflow._meta.db_table}" AS w ON w."id" = v."workflow_id"'
)


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
    identifier = workflow if isinstance(workflow, UUID) else _as_uuid(workflow)
    which, value = ("id", identifier) if identifier else ("name", workflow)
    text = f'{_FIND} WHERE w."{which}" = %s'
    parameters = [as_value(Workflow, which, value)]
    if number is not None:
        text += ' AND v."number" = %s'
        parameters.append(number if 0 < number <= LARGEST_NUMBER else 0)
    found = fetch(f'{text} ORDER BY v."number" DESC LIMIT 1', parameters)
    if not found:
        if number is not None:
            raise NotFound(f"There is no version {number} of this workflow.", field="version")
        raise _no_workflow(str(workflow))
    # A copy: whoever notes something on it does so for themselves.
    return copy(_version(_ID.read(found[0]).pk))


@lru_cache(maxsize=256)
def _version(version_id: UUID) -> WorkflowVersion:
    """Return a version with its workflow. Neither ever changes, so they are read once per process."""
    return WorkflowVersion.objects.select_related("workflow").get(pk=version_id)


def _no_workflow(reference: str) -> NotFound:
    return NotFound(f"There is no workflow {reference[:100]!r}.", field="workflow")


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
