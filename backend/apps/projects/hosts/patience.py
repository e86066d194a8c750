"""How long a fault of a moment is waited for inside one attempt. Longer waits are the engine's, not made here."""

from __future__ import annotations

import logging
from collections.abc import Callable

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from backend.errors import RateLimited, RepomillError, TemporaryFailure

TRIES = 4
SECONDS = 10.0
FRESH_TRIES = 14
FRESH_SECONDS = 40.0
logger = logging.getLogger(__name__)


def patiently(
    *, sleep: Callable[[float], None], fresh: bool = False, on: type[RepomillError] = TemporaryFailure
) -> Retrying:
    """Return what calls a function again after a fault of a moment, for about ten seconds, and raises its last error.

    fresh: the repository was made a moment ago and may need longer until it is there for everybody: forty seconds.
    on: the errors that pass. Where the other side said how long to wait, that wait is not made here.
    """

    def passes_soon(error: BaseException) -> bool:
        return isinstance(error, on) and not isinstance(error, RateLimited) and error.retry_after is None

    return Retrying(
        retry=retry_if_exception(passes_soon),
        stop=stop_after_attempt(FRESH_TRIES if fresh else TRIES)
        | stop_after_delay(FRESH_SECONDS if fresh else SECONDS),
        wait=wait_random_exponential(multiplier=0.25, max=3),
        sleep=sleep,
        before_sleep=_say,
        reraise=True,
    )


def _say(state: RetryCallState) -> None:
    """Say why something is tried again: where it works out in the end nobody else would."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, RepomillError):
        logger.info("try %d is followed by another: %s: %s", state.attempt_number, error.code, error.message)
