"""Which ids there are, and which of them belong together: a generation's with its project's."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

MOST = 400
NEWEST = 12
"""Of how many things one is chosen: the newest are the likeliest to be there still."""

Ids = dict[str, Any]


class Known:
    """Ids by the names of parameters. What is given at first is there for good."""

    def __init__(self, first: list[Ids]) -> None:
        self._first = first
        self._made: list[Ids] = []

    def remember(self, ids: Ids) -> None:
        """Note ids that belong together, unless one of them is missing."""
        if ids and None not in ids.values() and ids not in self._made:
            self._made.append(ids)
            del self._made[:-MOST]

    def forget(self, ids: Mapping[str, Any]) -> None:
        """Forget everything that is found by these."""
        if ids:
            self._made = [each for each in self._made if not ids.items() <= each.items()]

    def together(self, wanted: Mapping[str, Any], *, chance: Random) -> Ids:
        """Return ids for these parameters: those that were given where there are such, else of others."""
        names = [name for name in wanted if any(name in each for each in self._first + self._made)]
        alike = [each for each in self._first + self._made if set(names) <= each.keys()]
        same = [each for each in alike if all(each[name] == wanted[name] for name in names)]
        if same:
            return chance.choice(same)
        # Also where a part of them is right: a project's other generation, and not another project.
        near = [each for each in alike if any(each[name] == wanted[name] for name in names)][-NEWEST:]
        # What was there at first is whole: of what is made here nothing is ever finished, for want of workers.
        whole = [each for each in self._first if each in alike]
        return chance.choice(near or [*whole * NEWEST, *alike[-NEWEST:]]) if names and alike else {}

    def one(self, name: str, *, chance: Random) -> Any:
        """Return an id of that name, None where there is none."""
        found = [each[name] for each in self._first + self._made if name in each]
        return chance.choice(found[-NEWEST:]) if found else None
