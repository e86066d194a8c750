"""Tasks of bulk exports. They have a queue of their own, so that nobody's single export waits behind a portfolio."""

from __future__ import annotations

from typing import Any

from backend.apps.exports.services.bulk_advance import advance_after
from backend.apps.exports.services.bulk_archives import deliver_together
from backend.apps.exports.services.bulk_delivery import deliver_item
from backend.apps.exports.services.bulk_planning import plan_items
from backend.identifiers import read_id
from workers.call import TaskCall
from workers.service_task import service_task


@service_task("bulk.plan")
def plan(call: TaskCall, *, bulk_export: str) -> dict[str, Any]:  # noqa: ARG001  (every body takes its call)
    """Plan the items of a bulk export, and start the first of them."""
    return plan_items(bulk_export_id=read_id(bulk_export, field="bulk_export"))


@service_task("bulk.deliver", afterwards=advance_after, together=deliver_together)
def deliver(call: TaskCall, *, item: int) -> dict[str, Any]:
    """Deliver one project of a bulk export."""
    return deliver_item(
        key=call.task.key, project=call.project, user=call.author, item_id=item, fence=call.require_newest
    )
