"""Does one task: claims it, keeps its lease, calls the service, and writes the outcome back.

It is the whole path from a message to the database, and knows neither the broker nor the service.
"""

from __future__ import annotations

import errno
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError
from django.utils import timezone

from backend.apps.workflows.decisions.retry import MOST_LOSSES, Again, decide_retry
from backend.apps.workflows.definitions.json_values import check_json
from backend.apps.workflows.execution import write_back
from backend.apps.workflows.execution.claim import ClaimedTask, NotClaimed, Standing, claim, standing_of
from backend.apps.workflows.execution.hand_back import hand_back
from backend.apps.workflows.execution.heartbeat import Heartbeat
from backend.apps.workflows.execution.interruption import (
    Interrupted,
    Interruption,
    Uninterruptible,
    WorkerStops,
)
from backend.apps.workflows.execution.persistence import leaving_no_transaction, persistently
from backend.errors import InvalidInput, RepomillError, TemporaryFailure, WorkersLost, place_of
from backend.failpoints import Failpoint, reached

logger = logging.getLogger(__name__)

PASSING_ERRNOS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ETIMEDOUT, errno.EIO),
    # No memory for another process, and a shared folder whose server has begun anew.
    *(errno.ENOMEM, errno.ESTALE),
}


@dataclass(frozen=True)
class Completed:
    """The task is done, now or before: what follows may go on."""


@dataclass(frozen=True)
class TryAgain:
    """A message should come back in `seconds`."""

    seconds: float


@dataclass(frozen=True)
class Parked:
    """Nothing is to be done now: another attempt has the task, it waits for a later time, or it is over."""

    why: str


@dataclass(frozen=True)
class Failed:
    """The task has failed for good, and the chain with it."""

    code: str


Outcome = Completed | TryAgain | Parked | Failed


def execute(
    task_id: UUID, *, service: Callable[[ClaimedTask], Any], worker: str, interruption: Interruption | None = None
) -> Outcome:
    """Do one task, if it is this worker's to do.

    service: does the work of a claimed task and returns its JSON result, or raises.
    worker: the name that operators read.
    interruption: how the service is stopped where the task is cancelled, or another worker has taken it over. Without
        one it is let finish.
    """
    interruption = interruption or Uninterruptible()
    reached(Failpoint.BEFORE_CLAIM)
    claimed = persistently(claim, task_id, worker=worker, now=timezone.now())
    if isinstance(claimed, NotClaimed):
        return Completed() if claimed.finished else Parked(claimed.why)
    if claimed.losses >= MOST_LOSSES:
        return _after_error(claimed, _workers_lost(claimed))
    reached(Failpoint.AFTER_CLAIM)
    try:
        with Heartbeat(claimed.id, attempt=claimed.attempt, interrupt=interruption.interrupt) as heartbeat:
            result, error = _call(service, claimed, interruption)
    except Interrupted as interrupted:
        stops = isinstance(interrupted, WorkerStops)
        return _after_interruption(claimed, cancelled=heartbeat.cancelled, worker_stops=stops)
    reached(Failpoint.ANSWERED)
    if error is not None:
        return _after_error(claimed, error)
    if not persistently(write_back.complete, claimed, result) and not persistently(write_back.has_completed, claimed):
        return Parked("the attempt has been overtaken")
    reached(Failpoint.WRITTEN_BACK)
    return Completed()


def _call(
    service: Callable[[ClaimedTask], Any], claimed: ClaimedTask, interruption: Interruption
) -> tuple[Any, RepomillError | None]:
    try:
        # The connection here and not later: the heartbeat may be waiting for what is locked, and its end is waited for.
        with leaving_no_transaction(), interruption:
            result = service(claimed)
        check_json(result, where="result")
    except RepomillError as error:
        logger.info("task %s (%s) attempt %d: %s", claimed.id, claimed.method, claimed.attempt, error.code)
        return None, error
    except Exception as error:  # noqa: BLE001  (whatever a service raises must end the task, not the worker)
        return None, _as_error(error, claimed)
    return result, None


def _as_error(error: Exception, claimed: ClaimedTask) -> RepomillError:
    """Give an error from elsewhere a meaning. Its text may hold anything, so it goes into neither log nor database."""
    logger.error("task %s (%s): %s at %s", claimed.id, claimed.method, type(error).__name__, place_of(error))
    if isinstance(error, OSError) and error.errno in PASSING_ERRNOS:
        return TemporaryFailure(f"The system refused: {error.strerror}.", hint="Free space or raise the limit.")
    if isinstance(error, OperationalError | InterfaceError):
        return TemporaryFailure("The database did not answer.")
    if isinstance(error, TypeError) and "argument" in str(error):
        return InvalidInput(f"The arguments do not fit the method {claimed.method}.", field="arguments")
    return RepomillError(f"The service failed with {type(error).__name__}.", hint="The worker's log names the place.")


def _workers_lost(claimed: ClaimedTask) -> WorkersLost:
    return WorkersLost(
        f"{claimed.losses} workers, one after the other, were lost while they did it; what was begun may be there.",
        hint="See in the system's log why they ended (too little memory?), then have it retried.",
    )


def _after_interruption(claimed: ClaimedTask, *, cancelled: bool, worker_stops: bool) -> Outcome:
    if cancelled and persistently(write_back.stop, claimed):
        return Parked("it was cancelled")
    if worker_stops:
        if persistently(hand_back, claimed):
            return Parked("its worker stops, and another one begins it anew")
        # It was cancelled since the heartbeat looked; left alone, it would wait for its lease to run out.
        standing = persistently(standing_of, claimed.id, attempt=claimed.attempt)
        if standing is Standing.TO_STOP and persistently(write_back.stop, claimed):
            return Parked("it was cancelled")
    return Parked("the attempt has been overtaken")


def _after_error(claimed: ClaimedTask, error: RepomillError) -> Outcome:
    # Jitter only spreads retries; nothing secret depends on it.
    jitter = random.random()  # noqa: S311
    retries, waited = claimed.retries, max(0, claimed.attempt - 1 - claimed.retries)
    decision = decide_retry(error, retries=retries, max_retries=claimed.max_retries, jitter=jitter, waited=waited)
    if isinstance(decision, Again):
        if not persistently(write_back.try_again, claimed, error, decision):
            return Parked("the attempt has been overtaken")
        return Parked(error.code) if decision.parked else TryAgain(decision.seconds)
    if not persistently(write_back.fail, claimed, error, why=decision.why):
        return Parked("the attempt has been overtaken")
    return Failed(error.code)
