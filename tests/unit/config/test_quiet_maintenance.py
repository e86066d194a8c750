"""What stays out of the logs, and what does not."""

import logging

import pytest

from backend.config.quiet_maintenance import QuietMaintenance


@pytest.mark.parametrize(
    ("logger", "level", "text", "kept"),
    [
        ("celery.worker.strategy", logging.INFO, "Task maintenance.reconcile[1] received", False),
        ("celery.app.trace", logging.INFO, "Task maintenance.reconcile[1] succeeded", False),
        ("celery.app.trace", logging.ERROR, "Task maintenance.reconcile[1] raised unexpected", True),
        ("celery.worker.strategy", logging.INFO, "Task generation.generate[1] received", True),
        ("workers.maintenance.tasks", logging.INFO, "reconciled: 1 sent again, maintenance.", True),
    ],
)
def test_only_celerys_remarks_on_maintenance_are_dropped(logger, level, text, kept):
    record = logging.LogRecord(logger, level, "f", 1, "%s", (text,), None)
    assert QuietMaintenance().filter(record) is kept
