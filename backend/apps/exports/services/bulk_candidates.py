"""Which projects a bulk export is of, and which of them need no delivery because nothing has changed.

Said once, as one statement: planning inserts its rows as items without reading them, and a forecast counts them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import OuterRef, QuerySet, Subquery

from backend.apps.exports.bulk_models import BulkExport, BulkExportItem, LastDelivery
from backend.apps.exports.selection import Selection, selected_projects
from backend.apps.projects.models import GeneratedProject, Project
from backend.apps.workflows.execution.statements import as_value, fetch

Status = BulkExportItem.Status
Reason = BulkExportItem.Reason
# reason: why it needs no delivery; empty if it does. known: whether something was delivered to the destination before.
# The names of the columns come from this statement, since the two databases name those of a query differently.
_CANDIDATES = f"""
WITH project (id, slug, generation_id) AS MATERIALIZED ({{projects}}), candidate AS (
    SELECT project.id, project.slug, project.generation_id,
        COALESCE(generation.content_digest, '') AS content_digest,
        CASE
            WHEN project.generation_id IS NULL THEN '{Reason.NOTHING_GENERATED.value}'
            WHEN %s AND generation.content_digest <> '' AND generation.content_digest = delivery.content_digest
                THEN '{Reason.UNCHANGED.value}'
            ELSE ''
        END AS reason,
        delivery.id IS NOT NULL AS known
    FROM project
    LEFT JOIN {GeneratedProject._meta.db_table} AS generation ON generation.id = project.generation_id
    LEFT JOIN {LastDelivery._meta.db_table} AS delivery
        ON delivery.project_id = project.id AND delivery.destination_key = %s AND delivery.export_id IS NOT NULL
)
"""  # noqa: S608  (names of tables)
_COUNT = "SELECT reason, known, COUNT(*) FROM candidate WHERE reason = '' OR %s GROUP BY reason, known"
# Before the WITH: behind it, SQLite's driver would not take it for an INSERT and count nothing.
_INSERT = f"""
INSERT INTO {BulkExportItem._meta.db_table} (bulk_export_id, position, project_id, project_slug, generation_id,
    content_digest, status, reason, refills, completed_at)
"""
_ITEMS = f"""
SELECT %s, %s + ROW_NUMBER() OVER (ORDER BY id), id, slug, generation_id, content_digest,
    CASE WHEN reason = '' THEN '{Status.PENDING.value}' ELSE '{Status.SKIPPED.value}' END, reason, FALSE,
    CASE WHEN reason = '' THEN NULL ELSE %s END
FROM candidate WHERE reason = '' OR %s ORDER BY id
"""  # noqa: S608  (names of tables)


@dataclass(frozen=True)
class Candidates:
    """So many projects. new: the destination has nothing of the project yet."""

    reason: str
    new: bool
    count: int


def next_through(selection: Selection, *, bulk: BulkExport, most: int) -> UUID | None:
    """Return the last of the next projects that are looked at together, by their ids; None when there is none."""
    projects = _projects(selection, bulk=bulk, after=bulk.planned_through).values_list("pk", flat=True)
    return next(iter(projects[most - 1 : most]), None) or projects.last()


def insert_items(selection: Selection, *, bulk: BulkExport, through: UUID, now: datetime) -> int:
    """Insert the items of the next projects, after those that there are, and return how many."""
    projects = _projects(selection, bulk=bulk, after=bulk.planned_through).filter(pk__lte=through)
    statement, parameters = _statement(projects, bulk=bulk)
    given = [
        as_value(BulkExport, "id", bulk.pk),
        bulk.total - 1,
        as_value(BulkExportItem, "completed_at", now),
        not selection.changed_only,
    ]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT + statement + _ITEMS, [*parameters, *given])
        return int(cursor.rowcount)


def count_candidates(selection: Selection, *, bulk: BulkExport) -> list[Candidates]:
    """Count the projects of the selection, by whether and why they need no delivery; one statement.

    bulk: whose user, destination and time count; it need not be stored.
    """
    projects = _projects(selection, bulk=bulk, after=None)
    if projects.query.is_empty():
        return []
    statement, parameters = _statement(projects, bulk=bulk)
    found = fetch(statement + _COUNT, [*parameters, not selection.changed_only])
    return [Candidates(reason, not known, count) for reason, known, count in found]


def _projects(selection: Selection, *, bulk: BulkExport, after: UUID | None) -> QuerySet[Project]:
    projects = selected_projects(selection, user=bulk.created_by)
    if after is not None:
        projects = projects.filter(pk__gt=after)
    if bulk.created_at is not None:
        # What is made meanwhile is the next one's.
        projects = projects.filter(created_at__lte=bulk.created_at)
    return projects


def _statement(projects: QuerySet[Project], *, bulk: BulkExport) -> tuple[str, list[Any]]:
    newest = GeneratedProject.objects.filter(project=OuterRef("pk"), status=GeneratedProject.Status.COMPLETED)
    newest = newest.order_by("-completed_at", "-created_at")
    columns = projects.order_by().values_list("pk", "slug", Subquery(newest.values("pk")[:1]))
    text, parameters = columns.query.sql_with_params()
    return _CANDIDATES.format(projects=text), [*parameters, bulk.skip_unchanged, bulk.destination_key]
