"""Calls those deliveries failed whose task has ended without saying so: refused before it began, cancelled, or died."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from backend.apps.exports.models import RepositoryExport
from backend.apps.workflows.models import TaskExecution

ABANDONED: Final = "The work ended before it was delivered."
BATCH: Final = 500

_Status = RepositoryExport.Status
_Task = TaskExecution.Status


def fail_abandoned_exports(*, now: datetime) -> int:
    """Call the exports failed that are pending or under way while their task has failed or was cancelled.

    Returns how many there were, at most 500 at once. One whose outcome is in doubt waits for the person who settles it.
    """
    ended = TaskExecution.objects.filter(status__in=[_Task.FAILED, _Task.CANCELLED])
    unfinished = RepositoryExport.objects.filter(status__in=[_Status.PENDING, _Status.EXPORTING])
    found = dict(unfinished.filter(key__in=ended.values("key")).order_by().values_list("key", "pk")[:BATCH])
    errors = dict(ended.filter(key__in=list(found)).values_list("key", "error"))
    failed = 0
    for key, identifier in found.items():
        message = (errors.get(key) or {}).get("message") or ABANDONED
        failed += unfinished.filter(pk=identifier).update(status=_Status.FAILED, error_message=message, updated_at=now)
    return failed
