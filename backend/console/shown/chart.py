"""The chart of the last hour: a bar for each minute, what completed below, what did not above. Lengths are of SVG."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

MINUTES = 60
HEIGHT = 72
STEP = 10
BAR = 7


@dataclass(frozen=True)
class Column:
    """One minute."""

    x: int
    good_y: float
    good_height: float
    bad_y: float
    bad_height: float
    words: str


@dataclass(frozen=True)
class Chart:
    """The drawing, and what it says in words."""

    columns: list[Column]
    total: int
    failed: int
    busiest: int
    width: int = MINUTES * STEP
    height: int = HEIGHT


def draw(counts: Mapping[datetime, tuple[int, int]], *, now: datetime) -> Chart:
    """Return the chart. counts: by minute, how many completed and how many did not."""
    newest = now.replace(second=0, microsecond=0)
    minutes = [newest - timedelta(minutes=MINUTES - 1 - number) for number in range(MINUTES)]
    values = [counts.get(minute, (0, 0)) for minute in minutes]
    busiest = max((good + bad for good, bad in values), default=0)
    columns = [
        _column(number, minute, good, bad, busiest)
        for number, (minute, (good, bad)) in enumerate(zip(minutes, values, strict=True))
    ]
    return Chart(columns, sum(map(sum, values)), sum(bad for _, bad in values), busiest)


def _column(number: int, minute: datetime, good: int, bad: int, busiest: int) -> Column:
    scale = (HEIGHT - 4) / busiest if busiest else 0
    good_height, bad_height = round(good * scale, 1), round(bad * scale, 1)
    words = f"{minute:%H:%M}: {good} completed" + (f", {bad} not" if bad else "")
    return Column(
        x=number * STEP,
        good_y=round(HEIGHT - good_height, 1),
        good_height=good_height,
        bad_y=round(HEIGHT - good_height - bad_height, 1),
        bad_height=bad_height,
        words=words,
    )
