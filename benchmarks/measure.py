"""What a measurement yields, and how two sides are measured in turn."""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One line of the table. ratio: ours by theirs, the median of the pairs; spread: its smallest and largest."""

    what: str
    ours: str
    against: str
    theirs: str
    ratio: float
    spread: tuple[float, float]
    better: str
    mark: float | None = None
    """What the ratio is to be: at most this where lower is better, at least this otherwise."""

    @property
    def reached(self) -> bool | None:
        """Whether the mark is reached; None without one."""
        if self.mark is None:
            return None
        return self.ratio <= self.mark if self.better == "lower" else self.ratio >= self.mark


@dataclass(frozen=True)
class Skipped:
    """A measurement that this machine cannot make, and why."""

    what: str
    why: str


def measure_here(module: str, folder: Path, quick: bool) -> list[Row | Skipped]:
    """Return what a module measures in this process, whose environment says where."""
    import django

    django.setup()
    measured = import_module(module)
    # As a worker does before its pool's processes are made: what is loaded is not looked at again and again.
    gc.freeze()
    found: list[Row | Skipped] = measured.measure(folder, quick=quick)
    return found


def milliseconds(value: float) -> str:
    """Show seconds as milliseconds."""
    return f"{value * 1000:,.0f} ms"


def seconds_of(work: Callable[[], object]) -> float:
    """Return how long `work` takes, in seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def in_turn(
    ours: Callable[[], float], theirs: Callable[[], float], *, pairs: int, rest: float = 0.0
) -> tuple[list[float], list[float], list[float]]:
    """Measure A B A B ...; return the figures of both and the ratio of each pair.

    Neither should delete many files meanwhile: ext4 passes over the places of files that were deleted a moment ago, one
    by one, and makes new files twenty times as slowly until it forgets them. A measurement's folder goes in the end.
    """
    ours(), theirs()
    figures = [(_alone(ours, rest), _alone(theirs, rest)) for _ in range(pairs)]
    return [a for a, _ in figures], [b for _, b in figures], [a / b for a, b in figures]


def _alone(side: Callable[[], float], rest: float) -> float:
    """Measure one side once nothing is left to be written for the other: who synchronises would wait for that too."""
    os.sync()
    time.sleep(rest)
    return side()


def row(
    what: str,
    against: str,
    figures: tuple[list[float], list[float], list[float]],
    *,
    show: Callable[[float], str],
    better: str,
    mark: float | None = None,
) -> Row:
    """Return the line for what `in_turn` found. better: `higher` or `lower`, of the ratio; mark: what it is to be."""
    ours, theirs, ratios = figures
    return Row(
        what=what,
        ours=show(statistics.median(ours)),
        against=against,
        theirs=show(statistics.median(theirs)),
        ratio=statistics.median(ratios),
        spread=(min(ratios), max(ratios)),
        better=better,
        mark=mark,
    )


def until(over: Callable[[], bool], *, pause: float) -> None:
    """Ask every `pause` seconds until it is over. Raises RuntimeError after ten minutes."""
    deadline = time.monotonic() + 600
    while not over():
        if time.monotonic() > deadline:
            raise RuntimeError("what was waited for did not come")
        time.sleep(pause)
