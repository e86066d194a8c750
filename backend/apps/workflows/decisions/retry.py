"""Decides whether a failed attempt is tried again, and when. It looks at the error's own words and does nothing."""

from __future__ import annotations

from dataclasses import dataclass

from backend.errors import RepomillError

FIRST_PAUSE = 2.0
LONGEST_PAUSE = 600.0
LONGEST_ASKED = 30 * 86_400.0
"""Seconds. Who asks for a longer wait is asked again then; what no date can hold would never be written back."""
LONGEST_TURN = 30.0
"""Seconds. What waits for its turn looks at least this often whether it has come."""
LONGEST_IN_BROKER = 300.0
"""Seconds. A longer pause is not waited for in a worker's memory: the row is parked and the reconciler wakes it."""
MOST_LOSSES = 10
"""Workers that may be lost with a task, one after the other. It may be the task that ends them."""


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


def decide_retry(
    error: RepomillError, *, retries: int, max_retries: int, jitter: float, waited: int = 0
) -> Again | GiveUp:
    """Decide what follows from a failed attempt.

    retries: how many attempts have been tried again before. jitter: from 0 to 1, spreads those that failed together.
    waited: how many attempts have ended before in a wait that was no failure. The pauses double from FIRST_PAUSE to
    LONGEST_PAUSE, lengthened by up to a quarter. Where the other side said how long to wait, it is that long. A wait
    for a rate limit, or for the turn to write, uses up no retry; a short one that comes again and again grows to
    LONGEST_TURN, so that a long wait does not fill the history.
    """
    if not error.retryable:
        return GiveUp("the error says that it would not help")
    waits = error.waits and error.retry_after is not None
    if retries >= max_retries and not waits:
        return GiveUp(f"all {max_retries} retries are used up")
    if error.retry_after is not None:
        again = min(LONGEST_TURN, 2.0 ** min(waited, 30)) if waits and waited else 0.0
        pause = max(again, min(error.retry_after, LONGEST_ASKED)) + jitter
    else:
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(retries, 30)) * (1 + jitter / 4)
    return Again(pause, parked=pause > LONGEST_IN_BROKER, counted=not waits)
