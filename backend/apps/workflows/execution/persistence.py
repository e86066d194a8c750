"""Does a transaction again when the database did not answer: it was restarted, or the connection to it has broken."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from django.db import Error, InterfaceError, OperationalError, connection
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from backend.errors import RepomillError

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")
PATIENCE = 15.0
"""Seconds. What is not done by then is left to the reconciler, which finds it when the lease has run out."""
LONGEST_PAUSE = 2.0


def persistently(transaction: Callable[..., Answer], *arguments: Any, **named: Any) -> Answer:  # noqa: ANN401
    """Return what `transaction` returns, done again on a new connection while the database does not answer.

    Whoever calls it must bear that it is done twice: the answer to a commit can be lost too.
    Raises OperationalError or InterfaceError after PATIENCE seconds, and at once where an outer transaction is open.
    """
    if connection.in_atomic_block:
        return transaction(*arguments, **named)
    try:
        # In the ordinary case nothing is set up that only a failure needs.
        return transaction(*arguments, **named)
    except (OperationalError, InterfaceError) as error:
        _reconnect(error)
    tries = Retrying(
        retry=retry_if_exception_type((OperationalError, InterfaceError)),
        stop=stop_after_delay(PATIENCE),
        wait=wait_random_exponential(multiplier=0.1, max=LONGEST_PAUSE),
        before_sleep=lambda state: _reconnect(state.outcome.exception() if state.outcome else None),
        reraise=True,
    )
    return tries(transaction, *arguments, **named)


def _reconnect(error: BaseException | None) -> None:
    # Only the type: a database's words may hold the values of a row.
    logger.warning("the database did not answer (%s); trying again", type(error).__name__)
    drop_connection()


@contextmanager
def leaving_no_transaction() -> Iterator[None]:
    """Give the connection up where anything is raised that nobody can have been ready for: all but our own errors.

    A time limit or an interruption strikes wherever the process is just then.
    """
    inside = connection.in_atomic_block
    try:
        yield
    except RepomillError:
        raise
    except BaseException:
        drop_connection(inside=inside)
        raise


def drop_connection(*, inside: bool | None = None) -> None:
    """Give this thread's connection up, with whatever was begun on it; the next query gets one of its own.

    For who cannot know what state it is in: work that a signal stopped may have begun a transaction that nobody would
    end. Closing is not enough there. SQLite keeps a closed connection's transaction, and with it the lock that all
    others wait for, as long as a cursor is referred to, and tracebacks refer to them until Python looks for cycles.
    Does nothing inside a transaction of the caller's. inside: whether there was one when the work began, for who looked
    then; a signal from another process can come while Django enters or leaves a block, which then stays open for ever.
    """
    if connection.in_atomic_block if inside is None else inside:
        return
    connection.in_atomic_block = connection.closed_in_transaction = False
    if connection.vendor == "sqlite":
        with suppress(Error):
            connection.rollback()
    connection.close()
