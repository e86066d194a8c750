"""Periodic tasks; they have no TaskExecution, since each does nothing where there is nothing to do.

They send no events: in Flower they would push the work out of sight.
"""

from __future__ import annotations

import logging

from django.utils import timezone

from backend.api.idempotency import forget_old_answers as forget_once
from backend.apps.workflows.execution.reconcile import reconcile as reconcile_once
from backend.config.celery import app

logger = logging.getLogger(__name__)


@app.task(name="maintenance.reconcile", send_events=False)
def reconcile() -> None:
    """Send again what was lost, and take back what lost workers had."""
    report = reconcile_once(now=timezone.now())
    if report.republished or report.taken_back:
        logger.info("reconciled: %d sent again, %d taken back", report.republished, report.taken_back)


@app.task(name="maintenance.forget_old_answers", send_events=False)
def forget_old_answers() -> None:
    """Forget the answers that were kept for idempotency keys longer than they need to be."""
    forgotten = forget_once()
    if forgotten:
        logger.info("forgot %d answers kept for idempotency keys", forgotten)
