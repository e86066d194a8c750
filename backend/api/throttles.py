"""How often somebody may ask: users by who they are, everybody else by their address, and logins more strictly.

Requests are counted in Django's cache, which all processes share, in windows of the setting's length. Where the cache
does not answer nothing is counted and every request is let through: to throttle is no reason to stand still.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from backend.config.rates import Rate

if TYPE_CHECKING:
    # REST framework imports its throttles before its views.
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)

LEFT_ALONE_SECONDS = 5.0
"""How long a cache that did not answer is not asked again."""
MORE_FOR_ACCOUNTS = 5
"""How many times an address's tries there are for one account, from wherever: nobody is locked out so easily."""


class _Counter:
    """Counts in the cache; leaves it alone for a while when it does not answer."""

    def __init__(self) -> None:
        self._not_before = 0.0

    def count(self, key: str, *, seconds: int) -> int:
        """Return how often the key was counted, with this time; 0 where nothing can be counted."""
        if time.monotonic() < self._not_before:
            return 0
        try:
            try:
                return int(cache.incr(key))
            except ValueError:
                cache.add(key, 0, timeout=seconds)
                return int(cache.incr(key))
        except (RedisError, OSError, ValueError):
            self._not_before = time.monotonic() + LEFT_ALONE_SECONDS
            logger.warning("The cache does not answer; requests are let through uncounted.", exc_info=True)
            return 0


counter = _Counter()


class Throttle(BaseThrottle):
    """Counts a request for each of its keys, and refuses it where one of them was counted too often."""

    setting: ClassVar[str]
    """The name of the rate in settings.API_RATES."""

    def keys(self, request: Request) -> Iterator[tuple[str, int]]:
        """Yield whom the request is counted for, and how many times the rate they may have."""
        raise NotImplementedError

    def allow_request(self, request: Request, view: APIView) -> bool:  # noqa: ARG002  (REST framework's signature)
        """Return whether the request is let through; `wait` says for how long otherwise."""
        rate: Rate | None = settings.API_RATES[self.setting]
        if rate is None:
            return True
        now = time.time()
        window = int(now // rate.seconds)
        self._wait = (window + 1) * rate.seconds - now
        allowed = True
        for key, factor in self.keys(request):
            # A digest: what users write is no part of a key.
            name = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:32]
            counted = counter.count(f"throttle:{self.setting}:{name}:{window}", seconds=rate.seconds * 2)
            allowed = allowed and counted <= rate.requests * factor
        return allowed

    def wait(self) -> float:
        """Return the seconds until the next window."""
        return self._wait


class UserThrottle(Throttle):
    """Users by who they are, whatever token they come with."""

    setting = "user"

    def keys(self, request: Request) -> Iterator[tuple[str, int]]:
        """Yield the user's id."""
        if request.user is not None and request.user.pk is not None:
            yield str(request.user.pk), 1


class DryRunThrottle(UserThrottle):
    """Users who ask what a workflow would do, which takes longer than most of what can be asked."""

    setting = "dry_run"


class AddressThrottle(Throttle):
    """Everybody without a token by their address."""

    setting = "address"

    def keys(self, request: Request) -> Iterator[tuple[str, int]]:
        """Yield the address."""
        if request.user is None or request.user.pk is None:
            yield self.get_ident(request), 1


class LoginThrottle(Throttle):
    """Whoever gives a password or a refresh token, by their address and by the account they name."""

    setting = "login"

    def keys(self, request: Request) -> Iterator[tuple[str, int]]:
        """Yield the address, and the account's name or id."""
        yield f"address {self.get_ident(request)}", 1
        named: Any = request.data.get("username") if isinstance(request.data, dict) else None
        account = named if isinstance(named, str) else getattr(request.user, "pk", None)
        if account is not None:
            yield f"account {account}", MORE_FOR_ACCOUNTS
