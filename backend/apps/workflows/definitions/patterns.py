"""Searches texts for the patterns of JSON Schemas, and gives up in time.

Python's own `re` would search for `(a|a)*b` in forty letters for ever, and hold up the whole process meanwhile; `regex`
lets the others go on and can be given a time. It writes out what has to come several times, though, until the memory is
full, so that is counted first.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import regex

LARGEST = 10_000
"""Parts that a pattern may have with those that have to come several times written out."""

_CLASS = r"\[\^?\]?(?:\\.|[^\]\\])*\]"
_ANCHORS = re.compile(rf"\\.|{_CLASS}|\$", re.DOTALL)
_PIECES = re.compile(rf"\\.|(?P<class>{_CLASS})|\{{(?P<times>\d{{1,9}})(?:,\d*)?\}}|.", re.DOTALL)
# What else begins so lets a pattern be written in other ways, of which these few lines do not know.
_UNKNOWN = re.compile(r"\(\?(?!:|=|!|<|>|P<|P=|[aims]+[:)])")


class Unsearchable(Exception):
    """There is no telling whether a pattern is found in a text: the search takes too long, or has no pattern at all."""


def searches(pattern: str, text: str, *, seconds: float) -> bool:
    """Return whether the pattern is found in the text. Raises Unsearchable, after these seconds or at once."""
    compiled = _compiled(pattern)
    if compiled is None:
        raise Unsearchable
    try:
        return compiled.search(text, timeout=seconds, concurrent=True) is not None
    except TimeoutError:
        raise Unsearchable from None


def is_searchable(pattern: str) -> bool:
    """Return whether a text can be searched for the pattern, however long that takes."""
    return _compiled(pattern) is not None


@lru_cache(maxsize=128)
def _compiled(pattern: str) -> Any:  # noqa: ANN401  (the library is not typed)
    if _written_out(pattern) > LARGEST:
        return None
    # In JSON Schema `$` is the end of the text; in Python it is also the place before a last line break.
    to_the_end = _ANCHORS.sub(lambda found: r"\Z" if found[0] == "$" else found[0], pattern)
    try:
        return regex.compile(to_the_end, cache_pattern=False)
    except (regex.error, RecursionError):
        return None


def _written_out(pattern: str) -> int:
    """Return how many parts the pattern has, each as often as it has to come."""
    if _UNKNOWN.search(pattern):
        return LARGEST + 1
    # Of each group that is open, and of what was read last.
    sizes, last = [0], 0
    for piece in _PIECES.finditer(pattern):
        if (piece["class"] or "").find("[:", 1) > 0:
            return LARGEST + 1
        times = int(piece["times"] or 0)
        if times:
            sizes[-1] += last * (times - 1)
            last *= times
        elif piece[0] == "(":
            sizes.append(1)
        elif piece[0] == ")" and len(sizes) > 1:
            last = sizes.pop()
            sizes[-1] += last
        else:
            last = 1
            sizes[-1] += 1
    return sum(sizes)
