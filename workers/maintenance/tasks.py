"""Periodic tasks; they have no TaskExecution, since each does nothing where there is nothing to do.

They send no events: in Flower they would push the work out of sight.
"""

from __future__ import annotations

import logging
import time

from django.utils import timezone

from backend.api.kept_answers import forget_old_answers as forget_once
from backend.apps.agents.services.retention import forget_old_actions
from backend.apps.authentication.services.expiry import forget_expired
from backend.apps.exports.services.abandoning import fail_abandoned_exports as fail_exports_once
from backend.apps.exports.services.bulk_advance import advance_all
from backend.apps.exports.services.retention import remove_archived_here
from backend.apps.exports.services.schedule_runs import do_round
from backend.apps.projects.services.archive_storage import sweep_leftovers
from backend.apps.projects.services.deletion import remove_left_behind
from backend.apps.projects.services.generation_records import fail_abandoned
from backend.apps.projects.services.repacking import repack_stores as repack_once
from backend.apps.workflows.execution.lost_messages import expect_no_answers
from backend.apps.workflows.execution.reconcile import reconcile as reconcile_once
from backend.apps.workflows.publishing import broker_has_forgotten, mark_broker
from backend.apps.workflows.services.secret_inputs import forget_spent
from backend.config.celery import app
from workers.maintenance.own_process import MaintenanceTask

logger = logging.getLogger(__name__)


@app.task(name="maintenance.reconcile", base=MaintenanceTask, send_events=False)
def reconcile() -> None:
    """Send again what was lost, and take back what lost workers had."""
    now = timezone.now()
    if broker_has_forgotten():
        lost = expect_no_answers(now=now)
        # A new installation's broker has never had any, and looks the same.
        if lost:
            logger.warning("the broker has lost its messages: %d are sent again", lost)
        # Only now: a process that dies before this leaves the discovery to the next round.
        mark_broker()
    report = reconcile_once(now=now)
    if report.republished or report.taken_back:
        logger.info("reconciled: %d sent again, %d taken back", report.republished, report.taken_back)


@app.task(name="maintenance.advance_bulk_exports", base=MaintenanceTask, send_events=False)
def advance_bulk_exports() -> None:
    """Let bulk exports go on where the end of a task did not."""
    advance_all(now=timezone.now())


@app.task(name="maintenance.start_scheduled_work", base=MaintenanceTask, send_events=False)
def start_scheduled_work() -> None:
    """Start what schedules have due, and see how what they started has ended."""
    do_round(now=timezone.now())


@app.task(name="maintenance.forget_old_answers", base=MaintenanceTask, send_events=False)
def forget_old_answers() -> None:
    """Forget what was kept longer than it need be: answers for idempotency keys, and refresh tokens given back."""
    forget_expired()
    forgotten = forget_once()
    if forgotten:
        logger.info("forgot %d answers kept for idempotency keys", forgotten)


@app.task(name="maintenance.fail_abandoned_generations", base=MaintenanceTask, send_events=False)
def fail_abandoned_generations() -> None:
    """Call generations failed that nobody can be generating any more."""
    failed = fail_abandoned(now=timezone.now())
    if failed:
        logger.info("%d generations were abandoned", failed)


@app.task(name="maintenance.fail_abandoned_exports", base=MaintenanceTask, send_events=False)
def fail_abandoned_exports() -> None:
    """Call exports failed whose task has ended without saying so."""
    failed = fail_exports_once(now=timezone.now())
    if failed:
        logger.info("%d exports were abandoned", failed)


@app.task(name="maintenance.repack_stores", base=MaintenanceTask, send_events=False)
def repack_stores() -> None:
    """Repack the git stores that have grown many packs."""
    repacked = repack_once()
    if repacked:
        logger.info("repacked %d git stores", repacked)


@app.task(name="maintenance.sweep_archives", base=MaintenanceTask, send_events=False)
def sweep_archives() -> None:
    """Remove what killed attempts left beside the archives."""
    swept = sweep_leftovers(now=time.time())
    if swept:
        logger.info("removed %d unfinished archives", swept)


@app.task(name="maintenance.remove_deleted_projects", base=MaintenanceTask, send_events=False)
def remove_deleted_projects() -> None:
    """Remove what this host still has of projects that another host has removed."""
    removed = remove_left_behind()
    if removed:
        logger.info("removed what was left of %d deleted projects", removed)


@app.task(name="maintenance.remove_archived_workspaces", base=MaintenanceTask, send_events=False)
def remove_archived_workspaces() -> None:
    """Remove the workspaces that this host still has of generations that another host has archived."""
    removed = remove_archived_here()
    if removed:
        logger.info("removed %d workspaces of archived generations", removed)


@app.task(name="maintenance.forget_secrets", base=MaintenanceTask, send_events=False)
def forget_secrets() -> None:
    """Forget the secrets that were given with executions and tasks that have ended."""
    forgotten = forget_spent(now=timezone.now())
    if forgotten:
        logger.info("forgot %d secrets of what has ended", forgotten)


@app.task(name="maintenance.forget_agent_actions", base=MaintenanceTask, send_events=False)
def forget_agent_actions() -> None:
    """Forget what agents did longer ago than the audit trail is kept."""
    forgotten = forget_old_actions(now=timezone.now())
    if forgotten:
        logger.info("forgot %d actions of agents", forgotten)
