"""What can go wrong when an agent calls an API."""

from __future__ import annotations

from typing import Any

from backend.errors import InvalidInput, RemoteRefused

# A server in trouble is worth another try later; a server that says "not implemented" is not.
PASSING_STATUSES = frozenset({500, 502, 503, 504})


class InvalidEndpoint(InvalidInput):
    """The endpoint does not name a place below /api/v1/ of this installation."""

    code = "invalid_endpoint"


class APIError(RemoteRefused):
    """The API call failed.

    `status_code` is the answer's HTTP status, or None when there was no answer that could be read. Answers that speak
    of passing trouble (500, 502, 503, 504) are retryable.
    """

    code = "api_error"

    def __init__(
        self,
        message: str | None = None,
        status_code: int | None = None,
        *,
        retry_after: float | None = None,
        hint: str | None = None,
        **place: Any,  # noqa: ANN401  (as in RepomillError)
    ) -> None:
        """Build the error; see RepomillError for the arguments that have the same names there."""
        super().__init__(message, retry_after=retry_after, hint=hint, status_code=status_code, **place)
        self.status_code = status_code
        self.retryable = status_code in PASSING_STATUSES
