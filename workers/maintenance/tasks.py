"""Periodic tasks; they have no TaskExecution, since each does nothing where there is nothing to do."""

from __future__ import annotations

import logging

from django.utils import timezone

from backend.apps.workflows.execution.reconcile import reconcile as reconcile_once
from backend.config.celery import app

logger = logging.getLogger(__name__)


@app.task(name="maintenance.reconcile")
def reconcile() -> None:
    """Send again what was lost, and take back what lost workers had."""
    report = reconcile_once(now=timezone.now())
    if report.republished or report.taken_back:
        logger.info("reconciled: %d sent again, %d taken back", report.republished, report.taken_back)
