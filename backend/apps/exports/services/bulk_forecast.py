"""What a bulk export would do, before it is started: how many deliveries, of how many projects, and until when.

It goes through the selection as the planning does, and records nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from backend.apps.authentication.models import User
from backend.apps.exports.bulk_models import BulkExport, BulkExportItem
from backend.apps.exports.pacing import SPACING, Forecast, Use, forecast, known_limits
from backend.apps.exports.selection import stored_selection
from backend.apps.exports.services.bulk_candidates import count_candidates
from backend.apps.exports.services.bulk_exports import check_bulk_export
from backend.apps.exports.services.pacing_accounts import account_of
from backend.apps.exports.services.pacing_store import Pacer

RECENT = 20
"""From how many bulk exports of the same type the speed without limits is taken."""


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What would be done. seconds: None where nothing like it was done before and no limit is known to bind it."""

    total: int
    deliveries: int
    unchanged: int
    nothing_generated: int
    seconds: float | None
    ends_at: datetime | None
    bound_by: str


def outlook(*, user: User, now: datetime, **wanted: Any) -> Outlook:  # noqa: ANN401  (as `check_bulk_export` takes it)
    """Return what a bulk export would do, and when it would end if it were started now.

    Raises as `check_bulk_export`.
    """
    columns = check_bulk_export(user=user, **wanted)
    bulk = BulkExport(created_by=user, **columns)
    counts = {"": 0, BulkExportItem.Reason.UNCHANGED.value: 0, BulkExportItem.Reason.NOTHING_GENERATED.value: 0}
    new = 0
    for found in count_candidates(stored_selection(bulk.selection), bulk=bulk):
        counts[found.reason] += found.count
        new += found.count if found.new and not found.reason else 0
    told = _paced(bulk, deliveries=counts[""], new=new, now=now)
    seconds = told.seconds if told is not None else None
    measured = _measured_seconds(bulk.export_type, deliveries=counts[""])
    bound_by = told.bound_by if told is not None else ""
    if measured is not None and measured > (seconds or 0.0):
        seconds, bound_by = measured, "what such deliveries have taken"
    return Outlook(
        total=sum(counts.values()),
        deliveries=counts[""],
        unchanged=counts[BulkExportItem.Reason.UNCHANGED.value],
        nothing_generated=counts[BulkExportItem.Reason.NOTHING_GENERATED.value],
        seconds=seconds,
        ends_at=None if seconds is None else now + timedelta(seconds=seconds),
        bound_by=bound_by,
    )


def outlook_json(found: Outlook) -> Mapping[str, Any]:
    """Return an outlook as JSON."""
    return {
        "total": found.total,
        "deliveries": found.deliveries,
        "unchanged": found.unchanged,
        "nothing_generated": found.nothing_generated,
        "seconds": None if found.seconds is None else round(found.seconds, 1),
        "ends_at": found.ends_at.isoformat() if found.ends_at else None,
        "bound_by": found.bound_by or None,
    }


def _paced(bulk: BulkExport, *, deliveries: int, new: int, now: datetime) -> Forecast | None:
    account = account_of(bulk.export_type, bulk.destination, user=bulk.created_by)
    if account is None:
        return None
    uses = [Use.of_new_repository(account.kind)] * new + [Use.of_known_repository(account.kind)] * (deliveries - new)
    spacing = SPACING[account.kind] if account.public else 0.0
    return forecast(known_limits(account), Pacer(account).state(), uses=uses, now=now.timestamp(), spacing=spacing)


def _measured_seconds(export_type: str, *, deliveries: int) -> float | None:
    """Return how long that many deliveries would take at the median speed of the last ones of this type."""
    speeds = []
    recent = BulkExport.objects.filter(export_type=export_type, status="completed").exclude(started_at=None)
    for bulk in recent.order_by("-completed_at")[:RECENT]:
        count = bulk.items.filter(status=BulkExportItem.Status.COMPLETED).count()
        if bulk.completed_at and bulk.started_at and count:
            speeds.append((bulk.completed_at - bulk.started_at).total_seconds() / count)
    return sorted(speeds)[len(speeds) // 2] * deliveries if speeds else None
