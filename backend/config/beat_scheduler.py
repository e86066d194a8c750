"""The schedule in the database, sent by a beat that finds its way back to a broker that was away.

Publishing is not retried, because what is lost is found by the reconciler; but kombu takes up a broken connection again
only while it retries, and beat keeps one connection for good. So whoever could not send lets go of it.
"""

from __future__ import annotations

from typing import Any

from django_celery_beat.schedulers import DatabaseScheduler


class Scheduler(DatabaseScheduler):  # type: ignore[misc]
    """Celery's scheduler, which connects anew after a message that could not be sent."""

    def apply_async(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        """Send one entry's message. Raises SchedulingError, which beat logs."""
        try:
            return super().apply_async(*arguments, **options)
        except Exception:
            self.__dict__.pop("producer", None)
            connection = self.__dict__.pop("connection", None)
            if connection is not None:
                connection.collect()
            raise
