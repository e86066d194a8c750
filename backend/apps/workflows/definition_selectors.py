"""What reads workflows and their versions, and who may see which: a stranger's looks like none."""

from __future__ import annotations

from copy import copy
from functools import lru_cache
from uuid import UUID

from django.db.models import OuterRef, Q, QuerySet, Subquery, TextField, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce

from backend.apps.authentication.models import User
from backend.apps.authentication.project_access import project_access
from backend.apps.authentication.roles import Right, is_operator
from backend.apps.workflows.execution.statements import Columns, as_value, fetch
from backend.apps.workflows.models import Workflow, WorkflowVersion
from backend.errors import InvalidInput, NotFound
from backend.strict_json import unfit

LARGEST_NUMBER = 2**31 - 1
FAR = 3
"""How far a workflow is that lies in another project than the one that is worked on."""

_ID = Columns(WorkflowVersion, ["id"])
_HOME = Columns(Workflow, ["id", "owner", "project_id"])
_FIND = f'SELECT {_HOME.text} FROM "{Workflow._meta.db_table}"'  # noqa: S608  (names of columns)
_VERSION = f'SELECT {_ID.text} FROM "{WorkflowVersion._meta.db_table}" WHERE "workflow_id" = %s'  # noqa: S608


def workflows(*, user: User, search: str = "", ordering: str = "name") -> QuerySet[Workflow]:
    """Return the workflows that a user may see, with `newest`, the number of their newest version, and `description`.

    search: what the name contains. ordering: `name` or `created_at`, with a `-` for the reverse.
    """
    newest = WorkflowVersion.objects.filter(workflow=OuterRef("pk")).order_by("-number")
    rows = visible_workflows(user=user).annotate(
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


def visible_workflows(*, user: User) -> QuerySet[Workflow]:
    """Return the workflows that a user may see: the installation's, their own, and those of their projects.

    All for an operator, none for an inactive user. A token that is good for one project alone sees that one's, and the
    installation's.
    """
    if not user.is_active:
        return Workflow.objects.none()
    whole = user.grant is None or user.grant.project_id is None
    if is_operator(user) and whole:
        return Workflow.objects.all()
    seen = Q(owner=None, project_id=None) | Q(project_id__in=project_access().visible_ids(user))
    return Workflow.objects.filter(seen | Q(owner=user) if whole else seen)


def get_workflow(*, user: User, workflow_id: UUID) -> Workflow:
    """Return the workflow as `workflows` does. Raises NotFound where there is none, or the user may not see it."""
    found = workflows(user=user).filter(pk=workflow_id).first()
    if found is None:
        raise _no_workflow(str(workflow_id))
    return found


def versions_of(*, user: User, workflow_id: UUID) -> QuerySet[WorkflowVersion]:
    """Return a workflow's versions, newest first, without their wording. Raises as `get_workflow` does."""
    if not visible_workflows(user=user).filter(pk=workflow_id).exists():
        raise _no_workflow(str(workflow_id))
    return WorkflowVersion.objects.filter(workflow_id=workflow_id).select_related("workflow").defer("definition")


def get_version(
    *, user: User, workflow: UUID | str, number: int | None = None, project: UUID | str | None = None
) -> WorkflowVersion:
    """Return a version of the workflow of that id or name. number: the newest when absent.

    project: where the work is to be done, an id or a slug; of several workflows of one name that project's is meant,
    then the user's own, then the installation's. Raises NotFound where there is none, or the user may not see it, and
        InvalidInput for a name that only several other projects have.
    """
    found = _wanted(user, str(workflow), project)
    if found is None:
        raise _no_workflow(str(workflow))
    text, parameters = _VERSION, [as_value(WorkflowVersion, "workflow", found.pk)]
    if number is not None:
        text += ' AND "number" = %s'
        parameters.append(number if 0 < number <= LARGEST_NUMBER else 0)
    rows = fetch(f'{text} ORDER BY "number" DESC LIMIT 1', parameters)
    if not rows:
        if number is not None:
            raise NotFound(f"There is no version {number} of this workflow.", field="version")
        raise _no_workflow(str(workflow))
    # A copy: whoever notes something on it does so for themselves.
    return copy(_version(_ID.read(rows[0]).pk))


def _wanted(user: User, reference: str, project: UUID | str | None) -> Workflow | None:
    """Return which workflow is meant by an id or a name, None where the user sees none."""
    if unfit(reference):
        # No database has such a name, and PostgreSQL does not even take the question.
        return None
    identifier = _as_uuid(reference)
    which, value = ("id", identifier) if identifier else ("name", reference)
    rows = fetch(f'{_FIND} WHERE "{which}" = %s', [as_value(Workflow, which, value)])
    candidates: list[Workflow] = [_HOME.read(row) for row in rows]
    if len(candidates) == 1 and candidates[0].owner_id is None and candidates[0].project_id is None:
        return candidates[0] if user.is_active else None
    seen = {each.pk: each for each in visible_workflows(user=user).filter(pk__in=[each.pk for each in candidates])}
    inside = None
    if project and any(each.project_id for each in seen.values()):
        inside = project_access().find(user, str(project), Right.SEE).id

    def distance(each: Workflow) -> int:
        if each.project_id is not None:
            return 0 if each.project_id == inside else FAR
        return 1 if each.owner_id == user.pk else 2

    # Another user's has to be named by its id: an operator who says a name does not mean it.
    found = sorted((each for each in seen.values() if identifier or each.owner_id in {None, user.pk}), key=distance)
    if len(found) > 1 and distance(found[0]) == FAR:
        raise InvalidInput(
            f"Several projects have a workflow {reference[:100]!r}.", field="workflow", hint="Name it by its id."
        )
    return found[0] if found else None


@lru_cache(maxsize=256)
def _version(version_id: UUID) -> WorkflowVersion:
    """Return a version with its workflow. Neither ever changes, so they are read once per process."""
    return WorkflowVersion.objects.select_related("workflow").get(pk=version_id)


def _no_workflow(reference: str) -> NotFound:
    return NotFound(
        f"There is no workflow {reference[:100]!r}.",
        field="workflow",
        hint="List the workflows to see which there are.",
    )


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
