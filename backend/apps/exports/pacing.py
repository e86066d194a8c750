"""How fast a host may be used: pure arithmetic on its limits, on what has been used, and on the time.

A limit is a number of units in any stretch of so many seconds. `next_slot` says when the next use fits into all of
them; `forecast` does so again and again, and so knows the end before the start. Times are seconds since the epoch.
Nothing is remembered here and nobody is asked: that is `services.pacing_store`'s.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

REQUESTS, POINTS, CREATIONS = "requests", "points", "creations"


@dataclass(frozen=True)
class Limit:
    """At most `units` of what is called `what` in any `seconds`."""

    what: str
    units: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.units:,} {self.name}"

    @property
    def name(self) -> str:
        """What is limited, without how many."""
        return f"{self.what} in {_span(self.seconds)}"


@dataclass(frozen=True)
class Use:
    """What one delivery costs at the most."""

    requests: int = 0
    points: int = 0
    creations: int = 0

    def of(self, what: str) -> int:
        """Return the units of one kind."""
        units: int = getattr(self, what)
        return units

    @classmethod
    def of_new_repository(cls, kind: str) -> Use:
        """Return the cost of a delivery that makes its repository: look, look, make, topics, settings."""
        return cls(requests=5, points=17, creations=1) if kind == "github" else cls(requests=5, creations=1)

    @classmethod
    def of_known_repository(cls, kind: str) -> Use:
        """Return the cost of a delivery to a repository that is there: look, look."""
        return cls(requests=2, points=2) if kind == "github" else cls(requests=2)


@dataclass(frozen=True)
class Account:
    """Whose limits they are: one credential at one host. kind: github or gitlab; public: the vendor's own service."""

    kind: str
    key: str
    public: bool = True


@dataclass(frozen=True)
class State:
    """What is known of an account.

    used: (time, use) in order of time, those that are booked for later included. blocked_until: nothing is sent before.
    remaining, reset_at: what the host said last of its own count of requests; None where it said nothing.
    """

    used: tuple[tuple[float, Use], ...] = ()
    blocked_until: float = 0.0
    remaining: int | None = None
    reset_at: float = 0.0


@dataclass(frozen=True)
class Forecast:
    """How long it takes, and which limit makes it so long; empty where none does."""

    seconds: float
    bound_by: str


GITHUB: Final[tuple[Limit, ...]] = (
    Limit(CREATIONS, 80, 60),
    Limit(CREATIONS, 500, 3600),
    Limit(POINTS, 900, 60),
    Limit(REQUESTS, 5000, 3600),
)
"""GitHub's published limits: content creation, points of the secondary limit (a write is five), and the primary one."""
GITLAB: Final[tuple[Limit, ...]] = (Limit(CREATIONS, 200, 86_400), Limit(REQUESTS, 2000, 60))
"""GitLab.com's: new projects of a user, and authenticated requests."""
PUBLISHED: Final[dict[str, tuple[Limit, ...]]] = {"github": GITHUB, "gitlab": GITLAB}
SPACING: Final[dict[str, float]] = {"github": 1.0, "gitlab": 0.0}
"""Seconds between two deliveries that write; GitHub asks everybody for one."""
SHARE: Final = 0.9
"""What part of a limit is used: the rest is other programs' and the host's own way of counting."""


def known_limits(account: Account, *, share: float = SHARE) -> tuple[Limit, ...]:
    """Return the limits that are planned with: none for a server of one's own, whose limits its headers tell."""
    if not account.public:
        return ()
    return tuple(
        replace(limit, units=max(1, math.floor(limit.units * share))) for limit in PUBLISHED.get(account.kind, ())
    )


def next_slot(
    limits: Sequence[Limit], state: State, *, use: Use, now: float, spacing: float = 0.0
) -> tuple[float, str]:
    """Return the first time, `now` or later, at which the use fits, and which limit it waits for; empty for none.

    Uses are given in the order they are asked for: a later one never comes before an earlier one that was booked.
    """
    return _Plan(limits, state).place(use, now=now, spacing=spacing)


def forecast(
    limits: Sequence[Limit], state: State, *, uses: Iterable[Use], now: float, spacing: float = 0.0
) -> Forecast:
    """Return when the last of the uses may begin, each as early as it may."""
    plan, at, bound_by = _Plan(limits, state), now, ""
    for use in uses:
        at, why = plan.place(use, now=at, spacing=spacing)
        bound_by = why or bound_by
        plan.take(use, at=at)
    return Forecast(at - now, bound_by)


def booked(state: State, *, use: Use, at: float, now: float) -> State:
    """Return the state with a use that may begin at that time.

    What begins at once is taken off the host's own count, which may not be told anew before others ask; what begins
    later is looked for among the uses.
    """
    left = state.remaining
    if left is not None and at <= now < state.reset_at:
        left = max(0, left - use.requests)
    return replace(state, used=(*state.used, (at, use)), remaining=left)


def forgotten(state: State, *, limits: Sequence[Limit], now: float) -> State:
    """Return the state without what no limit counts any more; the last use stays, since the next one keeps away."""
    used = tuple(
        (time, use)
        for time, use in state.used
        if time > now - max((limit.seconds for limit in limits if use.of(limit.what)), default=0.0)
    )
    return replace(state, used=used or state.used[-1:])


class _Plan:
    """Places uses one after the other; each costs the same, however many there are."""

    def __init__(self, limits: Sequence[Limit], state: State) -> None:
        self._windows = [_Window(limit, state.used) for limit in limits]
        self._state = state
        self._remaining = state.remaining
        self._last = state.used[-1][0] if state.used else None

    def place(self, use: Use, *, now: float, spacing: float) -> tuple[float, str]:
        """Return as `next_slot`. `now` is never earlier than in the call before."""
        at, why, state = now, "", self._state
        if state.blocked_until > at:
            at, why = state.blocked_until, "a wait that the host asked for"
        if self._remaining is not None and state.reset_at > now:
            later = sum(spent.requests for time, spent in state.used if now < time < state.reset_at)
            if self._remaining - later < use.requests and state.reset_at > at:
                at, why = state.reset_at, "the host's own count of requests"
        if self._last is not None:
            at = max(at, self._last + spacing)
        for window in self._windows:
            fits = window.fits_at(use)
            if fits > at:
                at, why = fits, str(window.limit)
        return at, why

    def take(self, use: Use, *, at: float) -> None:
        """Count a use that was placed."""
        if self._remaining is not None and at < self._state.reset_at:
            self._remaining -= use.requests
        self._last = at
        for window in self._windows:
            window.take(at, use)


class _Window:
    """What counts against one limit. What has once been found to be over is not looked at again: time goes on."""

    def __init__(self, limit: Limit, used: Iterable[tuple[float, Use]]) -> None:
        self.limit = limit
        self._taken: deque[tuple[float, int]] = deque()
        self._total = 0
        self._free_at = 0.0
        for time, use in used:
            self.take(time, use)

    def take(self, at: float, use: Use) -> None:
        if units := use.of(self.limit.what):
            self._taken.append((at, units))
            self._total += units

    def fits_at(self, use: Use) -> float:
        """Return the first time at which the use is within the limit, after all that was taken; 0 for at once.

        A use that is larger than the limit waits until nothing else counts.
        """
        units = use.of(self.limit.what)
        if units == 0:
            return 0.0
        while self._taken and self._total + min(units, self.limit.units) > self.limit.units:
            time, taken = self._taken.popleft()
            self._total -= taken
            # It must have left the stretch of time that ends with the new use.
            self._free_at = time + self.limit.seconds
        return self._free_at


def _span(seconds: float) -> str:
    return {60: "a minute", 3600: "an hour", 86_400: "a day"}.get(int(seconds), f"{seconds:g} s")
