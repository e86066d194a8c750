"""A dry run as its part of a page shows it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from backend.apps.projects.services.text_diff import lines_of
from backend.apps.workflows.file_trees import FileTree, ShownFile
from backend.apps.workflows.previews import Effect
from backend.apps.workflows.services.dry_run import DryRun
from backend.apps.workflows.services.dry_values import DryStep

MOST_EFFECTS = 30
SIGNS = {"added": "+", "changed": "~", "removed": "−", "unchanged": ""}  # noqa: RUF001  (a minus sign)


@dataclass(frozen=True)
class ShownEffect:
    """What one task would do. body: of a request, as text."""

    effect: Effect
    body: str


@dataclass(frozen=True)
class ShownStep:
    """A step; more: effects that are not shown."""

    step: DryStep
    effects: tuple[ShownEffect, ...]
    more: int


@dataclass(frozen=True)
class Branch:
    """A directory of the tree: its name, how deep it lies, and nothing else; or a file, which has one."""

    name: str
    depth: int
    file: ShownFile | None
    sign: str
    lines: tuple[tuple[str, str], ...] | None

    @property
    def inset(self) -> int:
        """How far it stands in: as deep as it lies, up to what a narrow page has room for."""
        return min(self.depth, 8)


@dataclass(frozen=True)
class ShownDryRun:
    """All of it. outputs: each with its value as text."""

    run: DryRun
    steps: tuple[ShownStep, ...]
    branches: tuple[Branch, ...]
    outputs: tuple[tuple[str, str], ...]


def shown_dry_run(run: DryRun) -> ShownDryRun:
    """Return a dry run as it is shown."""
    return ShownDryRun(
        run=run,
        steps=tuple(_step(step) for step in run.steps),
        branches=tuple(_branches(run.files)) if run.files else (),
        outputs=tuple((name, _text(value)) for name, value in run.outputs.items()),
    )


def _step(step: DryStep) -> ShownStep:
    effects = tuple(_effect(effect) for effect in step.effects[:MOST_EFFECTS])
    return ShownStep(step, effects, len(step.effects) - len(effects))


def _effect(effect: Effect) -> ShownEffect:
    body = effect.details.get("body") if effect.kind == "requests" else effect.details.get("arguments")
    return ShownEffect(effect, "" if body is None else _text(body))


def _branches(tree: FileTree) -> list[Branch]:
    """Return the tree line by line: each directory before what lies in it."""
    found: list[Branch] = []
    known: set[str] = set()
    paths = {**dict.fromkeys(tree.directories), **{file.path: file for file in tree.files}}
    for path in sorted(paths, key=lambda path: path.split("/")):
        parts = path.split("/")
        above = parts if paths[path] is None else parts[:-1]
        for depth in range(len(above)):
            directory = "/".join(parts[: depth + 1])
            if directory not in known:
                known.add(directory)
                found.append(Branch(f"{parts[depth]}/", depth, None, "", None))
        file = paths[path]
        if file is not None:
            found.append(Branch(parts[-1], len(parts) - 1, file, SIGNS[file.status], _lines(file)))
    return found


def _lines(file: ShownFile) -> tuple[tuple[str, str], ...] | None:
    """Return what is shown of a file, line by line with what each is; None where nothing is."""
    if file.diff is not None:
        kinds = {"+": "added", "-": "removed", "@": "place", "\\": "place"}
        # The end of a line that is no line feed would be drawn as one.
        lines = (line.removesuffix("\n").replace("\r", "␍") for line in lines_of(file.diff)[2:])
        return tuple((kinds.get(line[:1], "same"), line) for line in lines)
    return None if file.content is None else tuple(("same", line.rstrip("\r\n")) for line in lines_of(file.content))


def _text(value: Any) -> str:  # noqa: ANN401  (JSON)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
