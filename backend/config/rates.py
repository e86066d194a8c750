"""How many requests are let through in which time, as a setting says it: "600/minute", or "none"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from backend.errors import ConfigurationError

SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
FORM = re.compile(r"([1-9]\d{0,8})/(second|minute|hour|day)")


@dataclass(frozen=True)
class Rate:
    """So many requests in so many seconds."""

    requests: int
    seconds: int

    def __str__(self) -> str:
        """Return the rate as a setting says it."""
        return f"{self.requests}/{next(name for name, length in SECONDS.items() if length == self.seconds)}"


def read_rate(name: str, text: str) -> Rate | None:
    """Return the rate that a variable names; None for "none", which is no limit. Raises ConfigurationError."""
    if text.strip().lower() == "none":
        return None
    found = FORM.fullmatch(text.strip().lower())
    if found is None:
        raise ConfigurationError(f"{name} must be such as 600/minute, or none, not {text[:50]!r}.", field=name)
    return Rate(int(found[1]), SECONDS[found[2]])
