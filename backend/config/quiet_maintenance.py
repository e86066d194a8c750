"""Keeps periodic maintenance out of the logs: it runs every few seconds, and speaks itself when it did something."""

from __future__ import annotations

import logging

PREFIX = "maintenance."


class QuietMaintenance(logging.Filter):
    """Drops Celery's own remarks, up to INFO, on tasks called `maintenance.*`."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is kept."""
        if record.levelno > logging.INFO or not record.name.startswith("celery."):
            return True
        return PREFIX not in record.getMessage()
