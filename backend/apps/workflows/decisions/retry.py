"""Decides whether a failed attempt is tried again, and when. It looks at the error's own words and does nothing."""

from __future__ import annotations

from dataclasses import dataclass

from backend.errors import RateLimited, RepomillError

FIRST_PAUSE = 2.0
LONGEST_PAUSE = 600.0
LONGEST_IN_BROKER = 300.0
"""Seconds. A longer pause is not waited for in a worker's memory: the row is parked and the reconciler wakes it."""


@dataclass(frozen=True)
class Again:
    """Try again in `seconds`; parked: nothing holds a message for it meanwhile. counted: it uses up one retry."""

    seconds: float
    parked: bool
    counted: bool = True


@dataclass(frozen=True)
class GiveUp:
    """The task has failed. `why` completes the sentence "Not tried again: ..."."""

    why: str


def decide_retry(error: RepomillError, *, retries: int, max_retries: int, jitter: float) -> Again | GiveUp:
    """Decide what follows from a failed attempt.

    retries: how many attempts have been tried again before. jitter: from 0 to 1, spreads those that failed together.
    The pauses double from FIRST_PAUSE to LONGEST_PAUSE, lengthened by up to a quarter. Where the other side said how
    long to wait, it is that long, and a wait that a rate limit asked for uses up no retry.
    """
    if not error.retryable:
        return GiveUp("the error says that it would not help")
    waits = isinstance(error, RateLimited) and error.retry_after is not None
    if retries >= max_retries and not waits:
        return GiveUp(f"all {max_retries} retries are used up")
    if error.retry_after is not None:
        pause = max(0.0, error.retry_after) + jitter
    else:
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(retries, 30)) * (1 + jitter / 4)
    return Again(pause, parked=pause > LONGEST_IN_BROKER, counted=not waits)
