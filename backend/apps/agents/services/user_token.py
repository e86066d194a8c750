"""The token that one caller holds for its user: minted when needed, and anew before it expires or when refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from asgiref.sync import sync_to_async
from django.db import connection

from backend.apps.authentication.models import User
from backend.apps.authentication.services.jwt_service import jwt_service

# A token is renewed this long before its end, so that it does not expire on the way.
SAFETY_SECONDS = 30.0


class UserToken:
    """A user's access token; only in memory. `clock` returns seconds and is monotonic."""

    def __init__(self, *, user: User, clock: Callable[[], float] = time.monotonic) -> None:
        self._user = user
        self._clock = clock
        self._value = ""
        self._fresh_until = float("-inf")
        if not _inside_event_loop():
            # Here the database can be asked directly; a user who may not act is refused before anything is built.
            self._keep(jwt_service.generate_token(user))

    async def value(self) -> str:
        """Return a token that is not about to expire. Raises PermissionRefused when the user may no longer act."""
        if self._clock() >= self._fresh_until:
            await self.renew(refused=self._value)
        return self._value

    async def renew(self, *, refused: str) -> str:
        """Return another token than the refused one. Raises PermissionRefused when the user may no longer act."""
        if self._value == refused:
            # A thread of its own, whose connection is closed at once: the event loop's thread may not wait for the
            # database, and a connection kept in a shared thread would never be looked after.
            self._keep(await sync_to_async(_mint, thread_sensitive=False)(self._user))
        return self._value

    def _keep(self, value: str) -> None:
        lifetime = jwt_service.lifetime.total_seconds()
        self._value = value
        self._fresh_until = self._clock() + max(lifetime - SAFETY_SECONDS, lifetime / 2)


def _mint(user: User) -> str:
    try:
        return jwt_service.generate_token(user)
    finally:
        connection.close()


def _inside_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
