"""Where credentials are named: in workflows, schedules and bulk exports. It reads names; no secret is opened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Subquery, TextField
from django.db.models.functions import Cast

from backend.apps.authentication.models import User
from backend.apps.credentials.models import Credential
from backend.apps.exports.bulk_models import BulkExport
from backend.apps.exports.bulk_selectors import visible_bulk_exports
from backend.apps.exports.schedule_models import ExportSchedule
from backend.apps.exports.schedule_selectors import visible_schedules
from backend.apps.workflows.definition_selectors import visible_workflows
from backend.apps.workflows.models import Workflow, WorkflowVersion

MOST = 500
"""Workflows, schedules and bulk exports each that are looked through: the newest ones."""


@dataclass(frozen=True)
class Uses:
    """Who names a credential. workflows: those whose newest version does."""

    workflows: list[Workflow] = field(default_factory=list)
    schedules: list[ExportSchedule] = field(default_factory=list)
    bulk_exports: list[BulkExport] = field(default_factory=list)

    @property
    def number(self) -> int:
        """How many there are."""
        return len(self.workflows) + len(self.schedules) + len(self.bulk_exports)


def uses_of(*, user: User, credentials: Sequence[Credential]) -> dict[UUID, Uses]:
    """Return where each of them is named, as far as the user may see that, in three queries.

    A name means the credential of whoever does the work, so a schedule or a bulk export of somebody else names another
    one, unless it is shared. A workflow may be started by the user.
    """
    found = {row.pk: Uses() for row in credentials}
    by_name: dict[str, list[Credential]] = {}
    for row in credentials:
        by_name.setdefault(row.name, []).append(row)
    if not by_name:
        return found
    for version in _newest_versions(user=user):
        for row in (row for name in set(_named(version.definition)) for row in by_name.get(name, ())):
            found[row.pk].workflows.append(version.workflow)
    names = list(by_name)
    for schedule in visible_schedules(user=user).filter(export__destination__credential__in=names)[:MOST]:
        for row in _meant(by_name[schedule.export["destination"]["credential"]], by=schedule.owner_id):
            found[row.pk].schedules.append(schedule)
    for bulk in visible_bulk_exports(user=user).filter(destination__credential__in=names)[:MOST]:
        for row in _meant(by_name[bulk.destination["credential"]], by=bulk.created_by_id):
            found[row.pk].bulk_exports.append(bulk)
    return found


def _meant(rows: list[Credential], *, by: UUID | None) -> list[Credential]:
    return [row for row in rows if row.project_id or row.owner_id == by]


def _newest_versions(*, user: User) -> Iterator[WorkflowVersion]:
    """Yield the newest versions of the user's workflows that name any credential."""
    newest = WorkflowVersion.objects.filter(workflow=OuterRef("workflow")).order_by("-number").values("pk")[:1]
    rows = WorkflowVersion.objects.filter(
        workflow__in=visible_workflows(user=user).values("pk"), pk=Subquery(newest)
    ).annotate(text=Cast("definition", TextField()))
    yield from rows.filter(text__contains='"credential"').select_related("workflow").order_by("workflow__name")[:MOST]


def _named(value: Any) -> Iterator[str]:  # noqa: ANN401  (JSON)
    if isinstance(value, Mapping):
        for key, part in value.items():
            if key == "credential" and isinstance(part, str):
                yield part
            else:
                yield from _named(part)
    elif isinstance(value, list):
        for part in value:
            yield from _named(part)
