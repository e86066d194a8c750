"""Starting a bulk export, and pausing, resuming, cancelling and retrying it.

Starting records what is wanted and sends one task, which plans the items (`bulk_planning`); what is in flight after
that is `bulk_advance`'s. A status changes only by an UPDATE whose condition names what it comes from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.exports.bulk_models import BulkExport, BulkExportItem
from backend.apps.exports.destination import ARCHIVES, destination_key, read_destination
from backend.apps.exports.selection import read_selection
from backend.apps.exports.services import bulk_advance, bulk_settling
from backend.apps.workflows.services import enqueue_method
from backend.apps.workflows.services.fan_out import stop
from backend.errors import Conflict, InvalidInput, PermissionRefused

Status = BulkExport.Status
Item = BulkExportItem.Status
WINDOW, WINDOW_OF_ARCHIVES = 32, 512
"""How many items are in flight unless somebody says otherwise. One message stands for many small archives."""
WIDEST_WINDOW = 1000
LONGEST_KEY = 200
PLAN = "bulk.plan"


def check_bulk_export(
    *,
    user: User,
    selection: Mapping[str, Any],
    export_type: str,
    destination: Mapping[str, Any] | None = None,
    skip_unchanged: bool = True,
    window: int | None = None,
) -> dict[str, Any]:
    """Return the columns of a bulk export, checked; nothing is changed. Raises InvalidInput and NotFound.

    window: None for 512 archives, or 32 repositories.

    Raises PermissionRefused for a token that is good for one project alone: it would reach the others through this.
    """
    if user.grant is not None and user.grant.project_id is not None:
        raise PermissionRefused("The token is good for one project alone.", hint="Export that project by itself.")
    if window is None:
        window = WINDOW_OF_ARCHIVES if export_type in ARCHIVES else WINDOW
    if isinstance(window, bool) or not isinstance(window, int) or not 1 <= window <= WIDEST_WINDOW:
        raise InvalidInput(
            "That many cannot be in flight at once.", field="window", expected=f"from 1 to {WIDEST_WINDOW}"
        )
    if not isinstance(skip_unchanged, bool):
        raise InvalidInput("It is either true or false.", field="skip_unchanged", expected="true or false")
    chosen = read_selection(selection, user=user)
    where = read_destination(export_type, destination or {})
    return {
        "selection": chosen.as_json(),
        "export_type": export_type,
        "destination": where,
        "destination_key": destination_key(export_type, where, user_id=user.pk),
        "skip_unchanged": skip_unchanged or chosen.changed_only,
        "window": window,
    }


def start_bulk_export(
    *,
    user: User,
    key: str | None = None,
    name: str = "",
    schedule_id: UUID | None = None,
    **wanted: Any,  # noqa: ANN401
) -> BulkExport:
    """Record a bulk export and have it planned and done.

    key: names it for ever; the same key again returns what was started with it. wanted: as for `check_bulk_export`.
    Raises as that does, and Conflict for a key that was used for another one.
    """
    columns = check_bulk_export(user=user, **wanted)
    if key is not None and len(key) > LONGEST_KEY:
        raise InvalidInput("The key is too long.", field="key", expected=f"1 to {LONGEST_KEY} characters")
    key = key or f"bulk:{uuid4()}"
    try:
        with transaction.atomic():
            bulk = BulkExport.objects.create(
                key=key, name=name[:200], created_by=user, schedule_id=schedule_id, **columns
            )
            enqueue_method(
                method=PLAN,
                arguments={"bulk_export": str(bulk.pk)},
                key=bulk_advance.plan_key(bulk),
                user=user,
                project_name=f"bulk export {name or str(bulk.pk)[:8]}",
            )
    except IntegrityError:
        known = BulkExport.objects.get(key=key)
        if known.created_by_id != user.pk or any(getattr(known, name) != value for name, value in columns.items()):
            raise Conflict(
                f"The key {key!r} names another bulk export already.", field="key", hint="Use another key."
            ) from None
        return known
    return bulk


def pause_bulk_export(bulk: BulkExport) -> BulkExport:
    """Let nothing more of it begin. What runs is let finish; what waits for its turn, or for a limit, is held back.

    Raises Conflict where it is over, paused, or being cancelled.
    """
    now = timezone.now()
    with transaction.atomic():
        _require_open(bulk_advance.locked(bulk.pk, wait=True), "pause")
        changed = BulkExport.objects.filter(pk=bulk.pk, paused_at=None, cancel_requested_at=None).update(paused_at=now)
        if not changed:
            raise Conflict("The bulk export is paused already, or is being cancelled.")
        bulk_advance.hold_back(bulk, now=now)
    return _again(bulk)


def resume_bulk_export(bulk: BulkExport) -> BulkExport:
    """Let a paused one go on. Raises Conflict where it is not paused."""
    if (
        not BulkExport.objects.filter(pk=bulk.pk, cancel_requested_at=None)
        .exclude(paused_at=None)
        .update(paused_at=None)
    ):
        raise Conflict(
            "The bulk export is not paused.", hint="What has failed is tried again with: repomill bulk retry"
        )
    bulk_advance.advance(bulk.pk, now=timezone.now())
    return _again(bulk)


def cancel_bulk_export(bulk: BulkExport) -> BulkExport:
    """Cancel it: what waits ends at once, what runs within seconds. What was delivered stays. Raises Conflict."""
    now = timezone.now()
    with transaction.atomic():
        found = bulk_advance.locked(bulk.pk, wait=True)
        _require_open(found, "cancel")
        if found.cancel_requested_at is not None:
            raise Conflict("The bulk export is being cancelled already.")
        BulkExport.objects.filter(pk=bulk.pk).update(cancel_requested_at=now, paused_at=None)
        items = BulkExportItem.objects.filter(bulk_export=bulk)
        items.filter(status=Item.PENDING).update(status=Item.CANCELLED, completed_at=now)
        stop(list(items.filter(status=Item.IN_FLIGHT).values_list("task_id", flat=True)), now=now)
        if found.status == Status.PENDING:
            # Its planner finds it so and stops.
            BulkExport.objects.filter(pk=bulk.pk).update(
                status=Status.CANCELLED, completed_at=now, cancel_requested_at=None, total=items.count()
            )
    bulk_advance.advance(bulk.pk, now=now)
    return _again(bulk)


def retry_bulk_export(bulk: BulkExport) -> BulkExport:
    """Try its failed items again, under their old keys. Raises Conflict where there are none, or it is not over.

    An item whose outcome is in doubt is settled by a person first.
    """
    with transaction.atomic():
        found = bulk_advance.locked(bulk.pk, wait=True)
        if found.status != Status.FAILED:
            raise Conflict(f"The bulk export is {found.status}; only what has failed can be tried again.")
        bulk_settling.settle(found, now=timezone.now())
        failed = BulkExportItem.objects.filter(bulk_export=bulk, status=Item.FAILED)
        again = failed.update(status=Item.PENDING, error=None, completed_at=None)
        # A person has had these tried once more, and they are on their way.
        doubted = BulkExportItem.objects.filter(bulk_export=bulk, status=Item.IN_DOUBT, task__isnull=False)
        settled = doubted.exclude(task__status=Item.IN_DOUBT)
        again += settled.update(status=Item.IN_FLIGHT, error=None, completed_at=None)
        planned = found.started_at is not None
        if planned and not again:
            if BulkExportItem.objects.filter(bulk_export=bulk, status=Item.IN_DOUBT).exists():
                raise Conflict(
                    "The outcome of its items is in doubt, and is not tried again blindly.",
                    hint="Look whether it happened, then: repomill resolve TASK --done, or --retry",
                )
            bulk_advance.end_if_over(found, now=timezone.now(), reopened=True)
            return _again(bulk)
        BulkExport.objects.filter(pk=bulk.pk).update(
            status=Status.RUNNING if planned else Status.PENDING,
            error=None,
            completed_at=None,
            started_at=timezone.now() if planned else None,
        )
        if not planned:
            bulk_advance.plan_again(found)
    bulk_advance.advance(bulk.pk, now=timezone.now())
    return _again(bulk)


def _require_open(bulk: BulkExport, verb: str) -> None:
    if bulk.status not in {Status.PENDING, Status.RUNNING}:
        raise Conflict(f"The bulk export is {bulk.status}; there is nothing to {verb}.")


def _again(bulk: BulkExport) -> BulkExport:
    return BulkExport.objects.select_related("created_by").get(pk=bulk.pk)
