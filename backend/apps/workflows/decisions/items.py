"""Decides how a step with `each` goes on: which items start, when it has ended, and with what result or error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from backend.errors import InvalidInput

MOST_ITEMS = 1000
"""Items that one step may be repeated for."""


@dataclass(frozen=True)
class NextItems:
    """What follows from the end of one item. start: how many may start now. over: whether the step has ended."""

    start: int
    over: bool


def decide_items(*, waiting: bool, in_flight: int, max_parallel: int, failed: bool) -> NextItems:
    """Decide what follows when an item has ended.

    waiting: whether any item has not started. in_flight: items that have started and not ended.
    failed: whether the item that ended has failed. Then nothing starts any more, and what runs is let finish.
    """
    if waiting and not failed:
        return NextItems(start=max(0, max_parallel - in_flight), over=False)
    return NextItems(start=0, over=in_flight == 0)


def require_items(value: Any, *, each: str, path: str) -> list[Any]:  # noqa: ANN401  (JSON)
    """Return the list that `each` has yielded. Raises InvalidInput, with the path, for anything else or too many."""
    if not isinstance(value, list):
        raise InvalidInput(f"{each} yields no list.", path=path, expected="a list")
    if len(value) > MOST_ITEMS:
        raise InvalidInput(
            f"{each} yields {len(value)} items.",
            path=path,
            expected=f"at most {MOST_ITEMS}",
            hint="Start several executions, each with a part of the list.",
        )
    return value


def collect_results(rows: Iterable[tuple[int, Any]], make: Callable[[Sequence[Any]], Any]) -> list[Any]:
    """Return each item's result, in the items' order.

    rows: the links' results as (item, result), ordered by item and link. make: the step type's `result`.
    """
    return [make([result for _, result in links]) for _, links in groupby(rows, key=lambda row: row[0])]


def collect_errors(failed: Sequence[tuple[int, Mapping[str, Any]]]) -> dict[str, Any] | None:
    """Return the step's error: that of the first item that failed, with its index. None where none has.

    failed: (item, error) in the order in which they failed, at most as many as were in flight at once.
    """
    if not failed:
        return None
    item, error = failed[0]
    said = {**error, "item": item, "message": f"Item {item}: {error.get('message', '')}"}
    if len(failed) > 1:
        said["failed_items"] = sorted(number for number, _ in failed)
    return said
