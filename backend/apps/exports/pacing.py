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
SPACING: Final[dict[str, float]] = {"github": 1.0, "gitlab": 0.0}
"""Seconds between two deliveries that write; GitHub asks everybody for one."""
SHARE: Final = 0.9
"""What part of a limit is used: the rest is other programs' and the host's own way of counting."""


def known_limits(account: Account, *, share: float = SHARE) -> tuple[Limit, ...]:
    """Return the limits that are planned with: none for a server of one's own, whose limits its headers tell."""
    if not account.public:
        return ()
    return tuple(
        replace(limit, units=max(1, math.floor(limit.units * share)))
        for limit in {"github": GITHUB, "gitlab": GITLAB}.get(account.kind, ())
    )


def next_slot(
    limits: Sequence[Limit], state: State, *, use: Use, now: float, spacing: float = 0.0
) -> tuple[float, str]:
    """Return the first time, `now` or later, at which the use fits, and which limit it waits for; empty for none.

    Uses are given in the order they are asked for: a later one never comes before an earlier one that was booked.
    """
    at, why = now, ""
    if state.blocked_until > at:
        at, why = state.blocked_until, "a wait that the host asked for"
    if state.remaining is not None and state.reset_at > now:
        booked = sum(spent.requests for time, spent in state.used if now < time < state.reset_at)
        if state.remaining - booked < use.requests and state.reset_at > at:
            at, why = state.reset_at, "the host's own count of requests"
    if state.used:
        at = max(at, state.used[-1][0] + spacing)
    for limit in limits:
        fits = _fits_at(limit, state.used, use.of(limit.what))
        if fits > at:
            at, why = fits, str(limit)
    return at, why


def forecast(
    limits: Sequence[Limit], state: State, *, uses: Iterable[Use], now: float, spacing: float = 0.0
) -> Forecast:
    """Return when the last of the uses may begin, each as early as it may."""
    longest = max((limit.seconds for limit in limits), default=0.0)
    used = deque(state.used)
    at, bound_by = now, ""
    for use in uses:
        slot, why = next_slot(limits, replace(state, used=tuple(used)), use=use, now=at, spacing=spacing)
        bound_by = why or bound_by
        at = slot
        used.append((at, use))
        while used and used[0][0] <= at - longest:
            used.popleft()
    return Forecast(at - now, bound_by)


def forgotten(state: State, *, limits: Sequence[Limit], now: float) -> State:
    """Return the state without what no limit counts any more."""
    longest = max((limit.seconds for limit in limits), default=3600.0)
    return replace(state, used=tuple(entry for entry in state.used if entry[0] > now - longest))


def _fits_at(limit: Limit, used: Sequence[tuple[float, Use]], units: int) -> float:
    """Return the first time at which so many units more are within the limit, after all that was used."""
    if units == 0:
        return 0.0
    room = limit.units - min(units, limit.units)
    for time, spent in reversed(used):
        room -= spent.of(limit.what)
        if room < 0:
            # It must have left the stretch of time that ends with the new use.
            return time + limit.seconds
    return 0.0


def _span(seconds: float) -> str:
    return {60: "a minute", 3600: "an hour", 86_400: "a day"}.get(int(seconds), f"{seconds:g} s")
