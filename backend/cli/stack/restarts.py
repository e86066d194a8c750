"""How often what ends by itself is started again, before the stack is given up."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable

MOST_ENDS = 5
WITHIN_SECONDS = 60.0
"""What ends by itself `MOST_ENDS` times in so many seconds is not started again."""


class Restarts:
    """Counts the ends of each process by name."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Prepare; nothing has ended yet."""
        self._clock = clock
        self._ends: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=MOST_ENDS))

    def allow(self, name: str) -> bool:
        """Note that it has ended just now, and return whether it is to be started again."""
        ends = self._ends[name]
        ends.append(self._clock())
        return len(ends) < MOST_ENDS or ends[-1] - ends[0] >= WITHIN_SECONDS
