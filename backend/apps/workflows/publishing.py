"""The one module that sends to Celery.

A message holds ids. It is a reminder: if it is lost, or cannot be sent at all, the pending row stays, and the
reconciler sends another.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from celery import chain
from kombu.exceptions import OperationalError

from backend.apps.workflows.models import TaskExecution
from backend.config.celery import app
from backend.failpoints import Failpoint, reached

logger = logging.getLogger(__name__)

FIRST_GRACE = timedelta(seconds=20)
LONGEST_GRACE = timedelta(minutes=10)


def publish_grace(times: int) -> timedelta:
    """Return how long a message may go unanswered before it counts as lost.

    It doubles with each message sent, so that a long queue is not flooded with copies of what already waits in it.
    """
    return min(LONGEST_GRACE, FIRST_GRACE * int(2 ** min(times, 10)))


def publish_chain(tasks: Sequence[TaskExecution]) -> bool:
    """Send one chain of the given links of one step, in order. False: the broker did not take it."""
    reached(Failpoint.BEFORE_PUBLISH)
    try:
        chain(*[_signature(task) for task in tasks]).apply_async()
    except OperationalError as error:
        logger.warning("the broker did not take task %s; it will be sent again: %s", tasks[0].pk, type(error).__name__)
        return False
    reached(Failpoint.AFTER_PUBLISH)
    return True


def _signature(task: TaskExecution) -> Any:  # noqa: ANN401  (Celery's Signature is generic over the task)
    options: dict[str, Any] = {
        # The row's own id: a task in Flower is found in the database, and the reverse.
        "task_id": str(task.pk),
        "argsrepr": task.description,
        "kwargsrepr": "",
    }
    if task.timeout_seconds:
        options |= {"soft_time_limit": task.timeout_seconds, "time_limit": task.timeout_seconds + 30}
    return app.signature(task.method, args=(str(task.pk),), immutable=True, **options)
