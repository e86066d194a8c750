"""The one module that sends to Celery, and that asks the broker whether it still has what it was sent.

A message holds ids. It is a reminder: if it is lost, or cannot be sent at all, the pending row stays, and the
reconciler sends another.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from amqp.exceptions import AMQPError
from celery import chain
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from backend.apps.workflows.former_names import current_description
from backend.apps.workflows.models import TaskExecution
from backend.config.celery import app
from backend.failpoints import Failpoint, reached
from backend.telemetry import tracing

logger = logging.getLogger(__name__)

PATIENCE = timedelta(seconds=5)
"""How long a message may go unanswered before the broker is asked whether it still waits in its queue.

A worker fetches no more than it has processes for, so that one which has left its queue begins within a moment.
"""
UNANSWERED = (OperationalError, RedisError, AMQPError, OSError)
MARK = "repomill:mark"
"""A key in the broker that is gone when all the messages are."""
FRONT = 100
"""Messages at the front of each queue that are looked at."""


@dataclass(frozen=True)
class Front:
    """The tasks whose messages are served next from a queue, the next one first. whole: no other message waits there.

    A message that is no task's has an empty id.
    """

    tasks: tuple[str, ...]
    whole: bool


def sending(now: datetime, *, due: datetime | None = None) -> dict[str, datetime]:
    """Return what a task's row says while a message for it is out.

    due: when the message is to be answered, where that is later than now.
    """
    return {"published_at": now, "next_publish_at": (due or now) + PATIENCE}


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


def fronts() -> dict[str, Front] | None:
    """Return what waits at the front of each queue. None: the broker does not answer.

    RabbitMQ says how many wait and not which: of a filled queue nothing is seen, and an empty one is left out.
    """
    queues = list(app.amqp.queues)
    try:
        with _client() as client:
            if client is None:
                return {queue: Front((), whole=False) for queue in _filled(queues)}
            # Served from the right. One more than is needed tells whether there are others.
            found = [client.lrange(queue, -FRONT - 1, -1) for queue in queues]
    except UNANSWERED:
        return None
    return {queue: _front(messages) for queue, messages in zip(queues, found, strict=True)}


def _filled(queues: Sequence[str]) -> Iterator[str]:
    """Yield the queues of a broker that does not speak Redis in which something waits. Raises of UNANSWERED."""
    pool: Any = app.pool
    with pool.acquire(block=True) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0)
        for queue in queues:
            # A channel of its own: to ask for a queue that is not there closes it.
            with suppress(*connection.channel_errors), connection.channel() as channel:
                waiting = channel.queue_declare(queue=queue, passive=True).message_count
                if waiting:
                    yield queue


def _front(messages: list[bytes]) -> Front:
    tasks = [_task_of(message) for message in reversed(messages)]
    return Front(tuple(tasks[:FRONT]), whole=len(tasks) <= FRONT)


@cache
def queue_of(method: str) -> str:
    """Return the name of the queue that a method's messages wait in."""
    return str(app.amqp.router.route({}, method)["queue"].name)


def _task_of(message: bytes) -> str:
    try:
        return str(json.loads(message)["headers"]["id"])
    except (ValueError, KeyError, TypeError):
        return ""


def broker_has_forgotten() -> bool:
    """Say whether the broker has lost all it was sent: flushed, or started again without its file.

    It is asked for a mark that `mark_broker` left there. False also where it does not answer: then nothing can be sent
    either. RabbitMQ keeps no mark, and is asked how many messages each queue has instead.
    """
    try:
        with _client() as client:
            return client is not None and not client.exists(MARK)
    except UNANSWERED:
        return False


def mark_broker() -> None:
    """Leave the mark that `broker_has_forgotten` looks for."""
    try:
        with _client() as client:
            if client is not None:
                client.set(MARK, "1")
    except UNANSWERED as error:
        logger.warning("the broker took no mark: %s", type(error).__name__)


@contextmanager
def _client() -> Iterator[Any]:
    """Give a client of the broker; None where it does not speak Redis."""
    pool: Any = app.pool
    with pool.acquire(block=True) as connection:
        if connection.transport.driver_type != "redis":
            yield None
            return
        # Asked for first, since the channel itself would be waited for without end.
        connection.ensure_connection(max_retries=1, interval_start=0)
        yield connection.default_channel.client


def _trace_parent(task: TaskExecution) -> str:
    """Return what continues the trace of a task's run, where that is at hand; otherwise the worker asks for it."""
    if TaskExecution.execution.is_cached(task) and task.execution is not None:
        return task.execution.trace_parent
    return task.trace_parent


def _signature(task: TaskExecution) -> Any:  # noqa: ANN401  (Celery's Signature is generic over the task)
    options: dict[str, Any] = {
        # The row's own id: a task in Flower is found in the database, and the reverse.
        "task_id": str(task.pk),
        "argsrepr": current_description(task.description),
        "kwargsrepr": "",
    }
    if parent := _trace_parent(task):
        options["headers"] = {tracing.HEADER: parent}
    if task.timeout_seconds:
        options |= {"soft_time_limit": task.timeout_seconds, "time_limit": task.timeout_seconds + 30}
    return app.signature(task.method, args=(str(task.pk),), immutable=True, **options)
