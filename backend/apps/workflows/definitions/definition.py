"""A checked definition as a value."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from typing import Any

DEFAULT_MAX_RETRIES = 10
DEFAULT_MAX_PARALLEL = 10


@dataclass(frozen=True)
class Step:
    """One step of a definition; `depends_on` is always filled in.

    each: the expression that yields the list for whose items the step is repeated; None for a step that is done once.
    max_parallel: how many items may be in flight at once.
    """

    id: str
    type: str
    name: str
    config: dict[str, Any]
    depends_on: tuple[str, ...]
    condition: str | None
    max_retries: int
    timeout_seconds: int | None
    continue_on_error: bool
    each: str | None = None
    max_parallel: int = DEFAULT_MAX_PARALLEL


@dataclass(frozen=True)
class Definition:
    """A workflow's definition. `data` is its wording as JSON, from which the rest was read."""

    name: str
    description: str
    inputs: dict[str, Any]
    steps: tuple[Step, ...]
    outputs: dict[str, Any]
    data: dict[str, Any]

    def step(self, step_id: str) -> Step:
        """Return the step of that id. Raises KeyError."""
        return self.by_id[step_id]

    @cached_property
    def by_id(self) -> dict[str, Step]:
        """The steps by their ids."""
        return {step.id: step for step in self.steps}

    @cached_property
    def in_order(self) -> tuple[Step, ...]:
        """The steps so that each comes after those it depends on; a definition may name them in any order.

        Raises graphlib.CycleError where they wait in a circle, which `check_definition` refuses.
        """
        order = TopologicalSorter({step.id: step.depends_on for step in self.steps}).static_order()
        return tuple(self.by_id[name] for name in order)

    @property
    def digest(self) -> str:
        """SHA-256 of the wording, in hexadecimal."""
        return hashlib.sha256(json.dumps(self.data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def from_data(data: dict[str, Any]) -> Definition:
    """Build a definition from data that has been checked; see `check_definition` for data that has not."""
    steps: list[Step] = []
    for item in data["steps"]:
        above = (steps[-1].id,) if steps else ()
        steps.append(_step(item, above))
    return Definition(
        name=data["name"],
        description=data.get("description", ""),
        inputs=data.get("inputs", {}),
        steps=tuple(steps),
        outputs=data.get("outputs", {}),
        data=data,
    )


def _step(item: Mapping[str, Any], above: tuple[str, ...]) -> Step:
    return Step(
        id=item["id"],
        type=item["type"],
        name=item.get("name") or item["id"],
        config=item.get("config", {}),
        depends_on=tuple(item["depends_on"]) if "depends_on" in item else above,
        condition=item.get("condition"),
        max_retries=item.get("max_retries", DEFAULT_MAX_RETRIES),
        timeout_seconds=item.get("timeout_seconds"),
        continue_on_error=item.get("continue_on_error", False),
        each=item.get("each"),
        max_parallel=item.get("max_parallel", DEFAULT_MAX_PARALLEL),
    )
