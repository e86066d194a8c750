"""Lets a user ask for dry runs as often as over REST, through whichever door, counted together with those."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from backend.api.throttles import DryRunThrottle
from backend.errors import RateLimited


def require_turn(user: Any) -> None:  # noqa: ANN401  (this layer knows no users)
    """Count a dry run. Raises RateLimited where the user has asked for too many."""
    throttle = DryRunThrottle()
    # It reads nothing but who the user is.
    asked: Any = SimpleNamespace(user=user)
    nowhere: Any = None
    if not throttle.allow_request(asked, nowhere):
        raise RateLimited("You have asked for many dry runs.", hint=f"Try again in {max(1, round(throttle.wait()))} s.")
