"""The result of one check, and what checks share."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

NOT_RUNNING = "not running: start with `repomill up`"


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    """Something that has to be put right on this machine or in its settings."""
    UNAVAILABLE = "unavailable"
    """Something that does not run or does not answer now."""


@dataclass(frozen=True)
class Check:
    """What was looked at, how it is, and how to mend it."""

    name: str
    state: State
    detail: str
    remedy: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the check for `--json`."""
        return asdict(self) | {"state": self.state.value}


def ok(name: str, detail: str) -> Check:
    """Return a check that found everything as it should be."""
    return Check(name, State.OK, detail)


def warning(name: str, detail: str, remedy: str = "") -> Check:
    """Return a check that found something to think about."""
    return Check(name, State.WARNING, detail, remedy)


def problem(name: str, detail: str, remedy: str = "") -> Check:
    """Return a check that found something wrong."""
    return Check(name, State.PROBLEM, detail, remedy)


def unavailable(name: str, detail: str, remedy: str = "") -> Check:
    """Return a check of something that does not answer."""
    return Check(name, State.UNAVAILABLE, detail, remedy)


def shown_url(url: str) -> str:
    """Return a URL without its user name, password and query, each of which can be a secret."""
    # Up to the last @: a password that was not escaped may hold a slash or a question mark.
    return re.sub(r"//.*@", "//***@", url).partition("?")[0]
