"""GitHub with its published limits: 5,000 requests an hour, 900 points and 80 creations a minute, 500 an hour.

Its clock may run faster than ours, so that an hour is over in minutes. Whoever goes beyond a secondary limit is told to
wait, and whoever asks while the wait is on is written down.
"""

from __future__ import annotations

import re
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.hosts.api_server import Call, Reply
from tests.integration.hosts.github_server import GitHubServer

MINUTE, HOUR = 60.0, 3600.0
REQUESTS_AN_HOUR = 5000
_CREATION = re.compile(r"/user/repos|/orgs/[^/]+/repos")


@dataclass
class Count:
    """What came in within a stretch of time, and how much of it may."""

    most: int
    seconds: float
    came: deque[tuple[float, int]] = field(default_factory=deque)

    def room(self, cost: int, *, now: float) -> bool:
        """Return whether so many more are within the limit."""
        while self.came and self.came[0][0] <= now - self.seconds:
            self.came.popleft()
        return sum(units for _, units in self.came) + cost <= self.most

    def take(self, cost: int, *, now: float) -> None:
        """Count something that was let in."""
        self.came.append((now, cost))


class LimitedGitHub(GitHubServer):
    """The emulator behind the limits. faster: how many of its seconds pass in one of ours."""

    def __init__(self, folder: Path, *, faster: float) -> None:
        super().__init__(folder)
        self.faster = faster
        self.hits: list[str] = []
        """The limits that were met."""
        self.asked_while_refused = 0
        """Requests that came while a wait was on."""
        self.made: list[str] = []
        """The paths at which repositories were made, one for each."""
        self._refused_until = 0.0
        self._hour = Count(REQUESTS_AN_HOUR, HOUR)
        self._points = Count(900, MINUTE)
        self._creations = (Count(80, MINUTE), Count(500, HOUR))

    def answer(self, call: Call) -> Reply:
        """Count the request, and pass it on if it is within all limits."""
        now = time.time() * self.faster
        if now < self._refused_until:
            self.asked_while_refused += 1
            return self._refusal(self._refused_until - now)
        creation = call.verb == "POST" and bool(_CREATION.fullmatch(call.path))
        costs = [(self._points, 1 if call.verb == "GET" else 5), *((count, int(creation)) for count in self._creations)]
        for count, cost in costs:
            if not count.room(cost, now=now):
                self.hits.append(f"{count.most} in {count.seconds:g} s")
                self._refused_until = now + MINUTE
                return self._refusal(MINUTE)
        if not self._hour.room(1, now=now):
            self.hits.append("requests in an hour")
            return Reply(403, {"message": "API rate limit exceeded for user ID 1."}, self._told(now))
        for count, cost in costs:
            count.take(cost, now=now)
        self._hour.take(1, now=now)
        reply = super().answer(call)
        if creation and reply.status == 201:
            self.made.append(reply.data["full_name"])
        own = {name: value for name, value in reply.headers.items() if not name.lower().startswith("x-ratelimit-")}
        return Reply(reply.status, reply.data, {**own, **self._told(now)})

    def create_repository(self, name: str) -> str:
        """Make a repository that keeps a log of every change of its branches."""
        url = super().create_repository(name)
        with (self.folder / name / "config").open("a") as config:
            config.write("[core]\n\tlogAllRefUpdates = always\n")
        return url

    def changes(self, full_name: str, branch: str = "main") -> int:
        """Return how often a branch was changed, its making included."""
        log = self.folder / f"{full_name}.git" / "logs" / "refs" / "heads" / branch
        return len(log.read_text().splitlines()) if log.exists() else 0

    def _refusal(self, seconds: float) -> Reply:
        said = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}
        return Reply(403, said, {"Retry-After": str(max(1, round(seconds / self.faster)))})

    def _told(self, now: float) -> dict[str, str]:
        oldest = self._hour.came[0][0] if self._hour.came else now
        return {
            "X-RateLimit-Limit": str(REQUESTS_AN_HOUR),
            "X-RateLimit-Remaining": str(max(0, REQUESTS_AN_HOUR - sum(units for _, units in self._hour.came))),
            "X-RateLimit-Reset": str(int((oldest + HOUR) / self.faster) + 1),
        }
