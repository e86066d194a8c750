"""Lays out the graph of a run's steps: a column for each rank, an arrow for each dependency. Lengths are of SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backend.apps.workflows.definitions.definition import Definition
from backend.apps.workflows.models import StepExecution
from backend.apps.workflows.selectors import ItemCounts
from backend.console.templatetags.console import State, duration, state_of

WIDTH, HEIGHT = 196, 54
GAP_X, GAP_Y = 44, 16
MARGIN = 2
LONGEST_NAME = 22


@dataclass(frozen=True)
class Items:
    """How far a step is that is repeated for a list: parts of its bar, as lengths, and the same in words."""

    done: float
    failed: float
    words: str


@dataclass(frozen=True)
class Node:
    """One step as it is drawn. It folds all items of a repeated step."""

    id: str
    name: str
    full_name: str
    more: str
    state: State
    x: int
    y: int
    items: Items | None

    @property
    def bar_y(self) -> int:
        """Where its bar is."""
        return self.y + HEIGHT - 7


@dataclass(frozen=True)
class Graph:
    """The whole drawing."""

    nodes: list[Node]
    edges: list[tuple[str, str]]
    """Paths, and the look of what they come from."""
    width: int
    height: int


def draw(
    definition: Definition,
    steps: Sequence[StepExecution],
    counts: Mapping[str, ItemCounts],
    *,
    durations: Mapping[str, float],
) -> Graph:
    """Return the drawing of a definition's steps as they stand. durations: seconds by step."""
    places = _places(definition)
    rows = {step.step_id: step for step in steps}
    nodes = []
    for step in definition.steps:
        row = rows.get(step.id)
        state = state_of(row.status if row else "pending")
        column, line = places[step.id]
        seconds = durations.get(step.id)
        items = _items(counts[step.id]) if step.id in counts else None
        parts = [items.words if items else step.type, duration(seconds) if seconds is not None else ""]
        nodes.append(
            Node(
                id=step.id,
                name=_cut(step.name),
                full_name=step.name,
                more=" · ".join(part for part in parts if part),
                state=state,
                x=MARGIN + column * (WIDTH + GAP_X),
                y=MARGIN + line * (HEIGHT + GAP_Y),
                items=items,
            )
        )
    by_id = {node.id: node for node in nodes}
    edges = [
        (_path(by_id[above], by_id[step.id]), by_id[above].state.look)
        for step in definition.steps
        for above in step.depends_on
    ]
    return Graph(
        nodes,
        edges,
        width=max(node.x for node in nodes) + WIDTH + MARGIN if nodes else 0,
        height=max(node.y for node in nodes) + HEIGHT + MARGIN if nodes else 0,
    )


def _places(definition: Definition) -> dict[str, tuple[int, int]]:
    """Return each step's column and line: a column after all it depends on, a line as near to them as may be."""
    column: dict[str, int] = {}
    for step in definition.in_order:
        column[step.id] = 1 + max((column[name] for name in step.depends_on), default=-1)
    line: dict[str, int] = {}
    order = {step.id: number for number, step in enumerate(definition.steps)}
    for rank in sorted(set(column.values())):
        here = [step for step in definition.in_order if column[step.id] == rank]

        wishes = {step.id: _wish([line[name] for name in step.depends_on], order[step.id]) for step in here}
        for number, step_id in enumerate(sorted(wishes, key=lambda name: (wishes[name], order[name]))):
            line[step_id] = number
    return {step_id: (column[step_id], line[step_id]) for step_id in column}


def _wish(above: Sequence[int], otherwise: int) -> float:
    """Return on which line a step would best be: in the middle of those that it follows."""
    return sum(above) / len(above) if above else otherwise


def _items(counts: ItemCounts) -> Items:
    total = max(counts.total, 1)
    words = f"{counts.done} of {counts.total}"
    if counts.failed or counts.in_doubt:
        words += f", {counts.failed + counts.in_doubt} failed"
    room = WIDTH - 20
    return Items(
        round(room * counts.done / total, 1), round(room * (counts.failed + counts.in_doubt) / total, 1), words
    )


def _path(above: Node, below: Node) -> str:
    x1, y1 = above.x + WIDTH, above.y + HEIGHT // 2
    x2, y2 = below.x, below.y + HEIGHT // 2
    bend = max(GAP_X // 2, (x2 - x1) // 2)
    return f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "\N{HORIZONTAL ELLIPSIS}"
