"""Rows of bulk exports and schedules, which are theirs who made them, and operators'."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils import timezone

from backend.apps.exports.models import BulkExport, ExportSchedule
from backend.apps.exports.services.bulk_exports import start_bulk_export
from backend.apps.exports.services.schedules import create_schedule
from tests.unit.api.permission_matrix.table import Answers, Row, own, own_running
from tests.unit.api.permission_matrix.world import World

WISH: dict[str, Any] = {"selection": {"kind": "all"}, "export_type": "zip"}
SCHEDULE: dict[str, Any] = {"name": "n", "cron": "0 2 * * *", "export": WISH}
BULK, SCHEDULES = "bulk-exports/<uuid:bulk_export_id>/", "export-schedules/<uuid:schedule_id>/"
MINE = Answers(401, 404, 404, 404, 404, 200, 200, 200, 200, 200, 200)


def mine(ok: int = 200) -> Answers:
    """For what the owner has made, and changes; a token needs the scope `run`."""
    return Answers(401, 404, 404, 404, 404, ok, ok, 403, 403, ok, 403)


def _bulk(world: World) -> UUID:
    return start_bulk_export(user=world.owner, key="matrix", selection={"kind": "all"}, export_type="zip").pk


def _schedule(world: World) -> UUID:
    found = ExportSchedule.objects.filter(owner=world.owner).first()
    return (found or create_schedule(owner=world.owner, name="matrix", cron="0 2 * * *", export=WISH)).pk


def _paused(world: World) -> None:
    BulkExport.objects.filter(pk=_bulk(world)).update(paused_at=timezone.now())


def _failed(world: World) -> None:
    BulkExport.objects.filter(pk=_bulk(world)).update(status="failed")


def _schedule_paused(world: World) -> None:
    ExportSchedule.objects.filter(pk=_schedule(world)).update(enabled=False)


OBJECTS = {"bulk_export_id": _bulk, "schedule_id": _schedule}
ROWS = [
    Row("GET", "bulk-exports/", own()),
    Row("POST", "bulk-exports/", own_running(201), body=WISH),
    Row("POST", "bulk-exports/plan/", own(), body=WISH),
    Row("GET", BULK, MINE),
    Row("GET", f"{BULK}items/", MINE),
    Row("GET", f"{BULK}report/", MINE),
    Row("POST", f"{BULK}pause/", mine()),
    Row("POST", f"{BULK}resume/", mine(), prepare=_paused),
    Row("POST", f"{BULK}cancel/", mine()),
    Row("POST", f"{BULK}retry/", mine(), prepare=_failed),
    Row("GET", "export-schedules/", own()),
    Row("POST", "export-schedules/", own_running(201), body=SCHEDULE),
    Row("GET", SCHEDULES, MINE),
    Row("PATCH", SCHEDULES, mine(), body={"cron": "30 3 * * *"}),
    Row("DELETE", SCHEDULES, mine(204)),
    Row("POST", f"{SCHEDULES}pause/", mine()),
    Row("POST", f"{SCHEDULES}resume/", mine(), prepare=_schedule_paused),
    Row("POST", f"{SCHEDULES}run/", mine(202)),
]
