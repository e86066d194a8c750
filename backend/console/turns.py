"""Lets a user ask for dry runs as often as over REST, counted together with those."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from backend.api.throttles import DryRunThrottle
from backend.errors import RateLimited


def require_turn(request: HttpRequest) -> None:
    """Count a dry run. Raises RateLimited where the user has asked for too many."""
    throttle = DryRunThrottle()
    # It reads nothing but who the user is.
    asked: Any = request
    nowhere: Any = None
    if not throttle.allow_request(asked, nowhere):
        raise RateLimited("You have asked for many dry runs.", hint=f"Try again in {max(1, round(throttle.wait()))} s.")
