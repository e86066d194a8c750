"""Which failures of an API call pass by themselves within seconds, and how long to wait before the next try.

Longer waits are not taken here: they leave as errors that say they are retryable, and after how long.
"""

from __future__ import annotations

import httpx
import tenacity
from tenacity.wait import wait_base

from backend.apps.agents.errors import APIError
from backend.errors import InDoubt, RateLimited, RemoteUnreachable, RepomillError

MOST_TRIES = 4
LONGEST_WAIT = 5.0
"""Seconds that the server may ask to wait for the call to wait here; above, the error carries them out."""
BLIP_STATUSES = frozenset({502, 503, 504})
KEY_IN_USE = "idempotency_key_in_use"
"""The code of the 409 that says: the first request with this key is still at work."""

_backoff = tenacity.wait_random_exponential(multiplier=0.4, max=LONGEST_WAIT)


class Blip(Exception):
    """A failure that another try may mend; `error` is what it becomes when no try is left."""

    def __init__(self, error: RepomillError, *, wait: float = 0.0) -> None:
        self.error = error
        self.wait = wait
        super().__init__(error.message)


class wait_as_asked(wait_base):  # noqa: N801  (named like tenacity's own)
    """Waits with exponential backoff and jitter, and at least as long as the server asked."""

    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        """Return the seconds until the next try."""
        failure = retry_state.outcome.exception() if retry_state.outcome else None
        asked = failure.wait if isinstance(failure, Blip) else 0.0
        return max(asked, _backoff(retry_state))


def from_transport(error: httpx.TransportError, *, repeatable: bool) -> Blip | InDoubt:
    """Return what a connection that failed means.

    A request that was not sent can always be sent again. One that was sent is repeated when that is harmless;
    otherwise it is not known whether it was done, and a person has to look.
    """
    unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if unsent or repeatable:
        return Blip(
            RemoteUnreachable(
                f"The API cannot be reached ({what}).",
                hint="Check BACKEND_URL, and that the web process runs.",
            )
        )
    return in_doubt(what)


def in_doubt(what: str) -> InDoubt:
    """Return the error for a request that may have been done, to a server that would do it twice."""
    return InDoubt(
        f"The answer to the request was lost ({what}); whether it was done is not known.",
        hint="Look whether the thing exists, then retry or skip the step.",
    )


def from_refusal(error: APIError, *, code: str | None, repeatable: bool) -> RepomillError | Blip:
    """Return what an error answer means: a blip, a wait, a doubt, or the error itself."""
    status, asked = error.status_code, error.retry_after or 0.0
    in_use = status == 409 and code == KEY_IN_USE
    if status == 429 and (asked > LONGEST_WAIT or error.retry_after is None):
        return RateLimited(error.message, retry_after=error.retry_after)
    if status in {502, 504} and not repeatable:
        return in_doubt(f"status {status}")
    if (status in BLIP_STATUSES or status == 429 or in_use) and asked <= LONGEST_WAIT:
        return Blip(_when_no_try_is_left(error), wait=asked)
    return error


def _when_no_try_is_left(error: APIError) -> RepomillError:
    if error.status_code == 429:
        return RateLimited(error.message, retry_after=error.retry_after)
    # 409 with the key in use passes too, only not within seconds.
    error.retryable = True
    return error
