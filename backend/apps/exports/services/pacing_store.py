"""Keeps what is known of accounts in Redis, where all workers see it, and asks before anything is sent.

Two questions are answered. *When may this delivery begin?* Bookings of whole deliveries are kept and the next free
place is worked out by `pacing`; a delivery keeps its place however often it asks. *May this request be sent?* Not while
the host has asked for a wait, and not beyond what its limits allow in requests and points, which the library `limits`
counts. What the host says in its answers is learned.

All of it may be lost: a flushed Redis knows nothing, and learns again from the first answers. Where Redis does not
answer at all, no place can be had, and single requests go out as if there were no plan.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from typing import Any

import redis
from django.conf import settings
from limits import RateLimitItemPerSecond
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis.backoff import NoBackoff
from redis.retry import Retry

from backend.apps.exports.pacing import (
    POINTS,
    REQUESTS,
    SPACING,
    Account,
    Limit,
    State,
    Use,
    booked,
    forgotten,
    known_limits,
    next_slot,
)
from backend.apps.projects.hosts.answers import LONGEST_WAIT, Answer, Manners, refusal, told_at
from backend.errors import RateLimited, TemporaryFailure

PREFIX = "repomill:pace:"
ACCOUNTS = "repomill:paced-accounts"
"""A hash in Redis: what operators know each account by."""
KEPT = 2 * 86_400
"""Seconds after which Redis forgets an account that nobody uses."""
SOON = 1.0
"""A delivery may begin this much before its place: clocks differ."""
WRITE_POINTS = 5
LONGEST_NUMBER = 12
"""Digits of a number in a header that is believed."""
OF_ONE_RUN = "a token of one run"
HOSTS_OWN = "requests told by the host"
logger = logging.getLogger(__name__)


@cache
def client() -> Any:  # noqa: ANN401  (redis is not typed to the end)
    """Return a client of the installation's Redis."""
    # Once more at once, where a connection was lost; whoever asks knows what to do without an answer.
    again = Retry(NoBackoff(), 1)
    return settings.ENVIRONMENT.redis.client(socket_timeout=5, socket_connect_timeout=5, retry=again)


def accounts(connection: Any = None) -> Iterator[tuple[str, Account]]:  # noqa: ANN401
    """Give every account that was used of late, with the name of its credential. Raises RedisUnavailable."""
    store = connection if connection is not None else client()
    try:
        for key, known_as in store.hgetall(ACCOUNTS).items():
            kind, public, name = json.loads(known_as)
            account = Account(kind=kind, key=key.decode(), public=public)
            if store.exists(f"{PREFIX}{account.key}"):
                yield name, account
            else:
                store.hdel(ACCOUNTS, key)
    except redis.exceptions.RedisError:
        raise RedisUnavailable(retry_after=5.0) from None


def _left(answer: Answer, *, now: float) -> tuple[int, float] | None:
    """Return how many requests the host says are left, and until when; None where it says nothing that can be so.

    The time is by the clock here, which may not be the host's.
    A time further away than any wait that is obeyed is nonsense, or milliseconds: it would keep everybody waiting.
    """
    said = [
        (answer.headers.get(f"x-ratelimit-{word}") or answer.headers.get(f"ratelimit-{word}") or "").partition(".")[0]
        for word in ("remaining", "reset")
    ]
    if not all(number.isdecimal() and len(number) <= LONGEST_NUMBER for number in said):
        return None
    left_for = float(said[1]) - told_at(answer, now=datetime.fromtimestamp(now, tz=UTC)).timestamp()
    return (int(said[0]), now + left_for) if left_for <= LONGEST_WAIT else None


def _counted(limit: Limit) -> RateLimitItemPerSecond:
    return RateLimitItemPerSecond(limit.units, max(1, round(limit.seconds)))


class RedisUnavailable(TemporaryFailure):
    """Redis, which keeps the pace of deliveries, does not answer."""

    waits = True


class Pacer:
    """The pace of one account. clock: seconds since the epoch."""

    def __init__(self, account: Account, *, connection: Any = None, clock: Callable[[], float] = time.time) -> None:  # noqa: ANN401
        self.account = account
        self.limits = known_limits(account)
        self._redis = connection if connection is not None else client()
        self._clock = clock
        self._name = f"{PREFIX}{account.key}"
        storage = RedisStorage("redis://", connection_pool=self._redis.connection_pool, key_prefix="repomill:limits")
        self._limiter = MovingWindowRateLimiter(storage)

    def book(self, key: str, use: Use) -> float:
        """Return when the delivery of that key may begin, and keep that place for it."""
        with self._changing() as (state, places):
            now = self._clock()
            state = forgotten(state, limits=self.limits, now=now)
            if key in places and places[key] >= state.blocked_until:
                return places[key]
            spacing = SPACING[self.account.kind] if self.account.public else 0.0
            at, _ = next_slot(self.limits, state, use=use, now=now, spacing=spacing)
            places[key] = at
            kept = {name: time for name, time in places.items() if time > now - 3600}
            self._write(booked(state, use=use, at=at, now=now), kept)
            return at

    def wait_for_place(self, key: str, use: Use) -> None:
        """Return if the delivery of that key may begin now. Raises RateLimited with the time until its place."""
        wait = self.book(key, use) - self._clock()
        if wait > SOON:
            raise RateLimited(
                f"It keeps to the host's limits and begins in {wait:.0f} s.",
                retry_after=wait,
                hint="Nothing has to be done: it begins by itself then, and no retry is used up.",
            )

    def before(self, method: str) -> None:
        """Raise RateLimited unless a request may be sent now."""
        try:
            self._ask(method)
        except (RedisUnavailable, redis.exceptions.RedisError) as error:
            logger.warning("a request goes out without a plan: %s", type(error).__name__)

    def _ask(self, method: str) -> None:
        state, _ = self._read()
        self._refuse_until(state.blocked_until, "the host asked for this wait")
        for limit in self.limits:
            cost = {REQUESTS: 1, POINTS: 1 if method == "GET" else WRITE_POINTS}.get(limit.what, 0)
            item = _counted(limit)
            if cost and not self._limiter.hit(item, self.account.key, cost=cost):
                reset = self._limiter.get_window_stats(item, self.account.key).reset_time
                self._refuse_until(max(reset, self._clock() + 1.0), str(limit))

    def after(self, answer: Answer) -> None:
        """Learn from an answer: how many requests are left until when, and that a wait is asked for."""
        left = _left(answer, now=self._clock())
        wait = None
        if answer.status in {403, 429}:
            error = refusal(answer, manners=Manners(host=self.account.kind, needs=""))
            wait = error.retry_after if isinstance(error, RateLimited) else None
        if wait is None and left is None:
            return
        with suppress(RedisUnavailable), self._changing() as (state, places):
            remaining, reset_at = (state.remaining, state.reset_at) if left is None else left
            self._write(
                State(
                    used=state.used,
                    blocked_until=max(state.blocked_until, self._clock() + wait if wait is not None else 0.0),
                    remaining=remaining,
                    reset_at=reset_at,
                ),
                places,
            )

    def introduce(self, name: str) -> None:
        """Note which credential the account belongs to, for who asks what is left of it."""
        known_as = json.dumps([self.account.kind, self.account.public, name or OF_ONE_RUN])
        with suppress(redis.exceptions.RedisError):
            self._redis.hset(ACCOUNTS, self.account.key, known_as)

    def left(self) -> dict[str, int]:
        """Return what is left of each limit just now, and of what the host itself counts. Raises RedisUnavailable."""
        state, _ = self._read()
        now = self._clock()
        found = {}
        if state.remaining is not None and state.reset_at > now:
            found[HOSTS_OWN] = state.remaining
        for limit in self.limits:
            if limit.what in {REQUESTS, POINTS}:
                found[limit.name] = self._limiter.get_window_stats(_counted(limit), self.account.key).remaining
            else:
                used = sum(use.of(limit.what) for at, use in state.used if now - limit.seconds < at <= now)
                found[limit.name] = max(0, limit.units - used)
        return found

    def state(self) -> State:
        """Return what is known of the account; nothing where Redis does not answer."""
        try:
            return self._read()[0]
        except RedisUnavailable:
            return State()

    def _refuse_until(self, until: float, why: str) -> None:
        wait = until - self._clock()
        if wait > 0:
            raise RateLimited(f"Nothing is sent for {wait:.0f} s: {why}.", retry_after=wait, limit=why)

    @contextmanager
    def _changing(self) -> Iterator[tuple[State, dict[str, float]]]:
        try:
            with self._redis.lock(f"{self._name}:lock", timeout=10, blocking_timeout=10):
                yield self._read()
        except redis.exceptions.RedisError:
            raise RedisUnavailable(retry_after=5.0) from None

    def _read(self) -> tuple[State, dict[str, float]]:
        try:
            text = self._redis.get(self._name)
        except redis.exceptions.RedisError:
            raise RedisUnavailable(retry_after=5.0) from None
        if not text:
            return State(), {}
        data = json.loads(text)
        used = tuple((at, Use(*cost)) for at, *cost in data["used"])
        return State(used, data["blocked_until"], data["remaining"], data["reset_at"]), data["booked"]

    def _write(self, state: State, places: dict[str, float]) -> None:
        data = {
            "used": [(at, use.requests, use.points, use.creations) for at, use in state.used],
            "blocked_until": state.blocked_until,
            "remaining": state.remaining,
            "reset_at": state.reset_at,
            "booked": places,
        }
        self._redis.set(self._name, json.dumps(data), ex=KEPT)
