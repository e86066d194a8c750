"""Checks a definition: its form, its graph, its step types and every expression, before anything is stored."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from itertools import islice
from pathlib import Path as FilePath
from typing import Any

from django.conf import settings

from backend.apps.workflows import step_types
from backend.apps.workflows.definitions import secret_inputs
from backend.apps.workflows.definitions.definition import Definition, Step, from_data
from backend.apps.workflows.definitions.json_values import sentence
from backend.apps.workflows.definitions.rendering import cut, expressions, shown
from backend.apps.workflows.definitions.schema import (
    DEFINITION_SCHEMA,
    STEP_ID,
    Misfit,
    Path,
    check,
    check_schema,
    check_with_expressions,
)
from backend.apps.workflows.definitions.scope import Scope, check_references
from backend.apps.workflows.definitions.source import Source, read_source, read_source_file
from backend.apps.workflows.errors import InvalidDefinition, InvalidExpression
from backend.strict_json import unfit

MOST_DEPENDENCIES = 10_000
"""Names in all `depends_on` together; what follows from a step's end is decided by looking at each of them."""


def read_definition(text: str, *, is_json: bool = False) -> Definition:
    """Read and check the text of a definition.

    Raises InvalidDefinition with line, path and what was expected.
    """
    return check_source(read_source(text, is_json=is_json))


def read_definition_file(path: FilePath) -> Definition:
    """Read and check a definition's file; a name that ends in `.json` is read as JSON.

    Raises InvalidDefinition, also where the file cannot be read.
    """
    return check_source(read_source_file(path))


def check_definition(data: Any) -> Definition:  # noqa: ANN401  (what it is, is found out here)
    """Check a definition that is JSON data already. Raises InvalidDefinition with the path."""
    return check_source(Source(data))


def check_source(source: Source) -> Definition:
    """Check a definition that has been read. Raises InvalidDefinition with path and, where known, line."""
    if wrong := unfit(source.data):
        _refuse(Misfit(wrong.path, sentence(wrong.reason)[:-1], wrong.expected or "JSON"), source)
    _check_size(source)
    _refuse(check(source.data, DEFINITION_SCHEMA), source)
    definition = from_data(source.data)
    _refuse(check_schema(definition.inputs), source, ("inputs",))
    _check_graph(definition, source)
    above = _above(definition)
    for index, step in enumerate(definition.steps):
        _check_step(step, definition, above[step.id], source, ("steps", index))
    _check_expressions(definition.outputs, Scope(definition, frozenset(definition.by_id)), source, ("outputs",))
    _refuse(next(secret_inputs.misfits(definition), None), source)
    return definition


def _check_size(source: Source) -> None:
    """Refuse what would take long to check; its form is not known yet."""
    steps = source.data.get("steps") if isinstance(source.data, dict) else None
    count = 0
    for index, step in enumerate(steps if isinstance(steps, list) else ()):
        names = step.get("depends_on") if isinstance(step, dict) else None
        count += len(names) if isinstance(names, list) else 0
        if count > MOST_DEPENDENCIES:
            wanted = f"at most {MOST_DEPENDENCIES} dependencies; put a step that gathers them in between"
            _refuse(Misfit(("steps", index, "depends_on"), "The steps wait for too many others", wanted), source)


def _check_step(step: Step, definition: Definition, above: frozenset[str], source: Source, path: Path) -> None:
    _check_type(step, source, path)
    _check_time_limit(step, source, (*path, "timeout_seconds"))
    scope = Scope(definition, above)
    _check_expressions(step.config, replace(scope, repeated=step.each is not None), source, (*path, "config"))
    for name, text in (("condition", step.condition), ("each", step.each)):
        if text is not None:
            _check_expressions(text, scope, source, (*path, name))
            _check_whole(text, source, (*path, name))


def _check_time_limit(step: Step, source: Source, path: Path) -> None:
    # A longer one would outlive the time after which the broker hands a message out again.
    most = settings.ENVIRONMENT.task_soft_limit
    if step.timeout_seconds is not None and step.timeout_seconds > most:
        wanted = f"at most {most}, the limit of this installation (REPOMILL_TASK_SOFT_LIMIT)"
        _refuse(Misfit(path, f"{step.timeout_seconds} seconds are too many", wanted), source)


def _refuse(misfit: Misfit | None, source: Source, prefix: Path = ()) -> None:
    if misfit is not None:
        path = (*prefix, *misfit.path)
        raise InvalidDefinition(
            misfit.sentence,
            line=source.line(path),
            path=shown(path) or "the whole",
            step=_step_at(path, source),
            expected=misfit.expected,
        )


def _step_at(path: Path, source: Source) -> str | None:
    """Return the id of the step that a path leads into, where it has one that can be named."""
    if len(path) < 2 or path[0] != "steps" or not isinstance(path[1], int):
        return None
    step = source.data["steps"][path[1]]
    name = step.get("id") if isinstance(step, dict) else None
    return name if isinstance(name, str) and re.fullmatch(STEP_ID, name) else None


def _check_graph(definition: Definition, source: Source) -> None:
    ids: dict[str, None] = {}
    for index, step in enumerate(definition.steps):
        if step.id in ids:
            _refuse(Misfit(("steps", index, "id"), f"Two steps are called {step.id!r}", "an id of its own"), source)
        ids[step.id] = None
    for index, step in enumerate(definition.steps):
        for at, name in enumerate(step.depends_on):
            place: Path = ("steps", index, "depends_on", at)
            if name not in ids:
                _refuse(Misfit(place, f"There is no step {name!r}{_meant(name, ids)}", _one_of(ids)), source)
    try:
        TopologicalSorter({step.id: step.depends_on for step in definition.steps}).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        at = next(index for index, step in enumerate(definition.steps) if step.id in circle)
        told = f"The step {definition.steps[at].id!r} waits for itself: " + " <- ".join(circle[:10])
        _refuse(Misfit(("steps", at, "depends_on"), told, "steps that do not wait in a circle"), source)


def _above(definition: Definition) -> dict[str, frozenset[str]]:
    """Return, for each step, the ids of all steps that have ended when it starts."""
    found: dict[str, frozenset[str]] = {}
    for step in definition.in_order:
        found[step.id] = frozenset(step.depends_on).union(*(found[name] for name in step.depends_on))
    return found


def _meant(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name[:100], list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _one_of(names: Iterable[str]) -> str:
    first = list(islice(names, 21))
    return "one of " + ", ".join(first[:20]) + (", ..." if len(first) > 20 else "")


def _check_type(step: Step, source: Source, path: Path) -> None:
    step_type = step_types.get(step.type)
    if step_type is None:
        names = step_types.names()
        told = f"There is no step type {step.type!r}{_meant(step.type, names)}"
        _refuse(Misfit((*path, "type"), told, "one of " + ", ".join(names)), source)
    else:
        _refuse(check_with_expressions(step.config, step_type.config_schema), source, (*path, "config"))


def _check_whole(text: str, source: Source, path: Path) -> None:
    if cut(text).whole is None:
        example = "${{ inputs.items }}" if path[-1] == "each" else "${{ inputs.name != '' }}"
        _refuse(Misfit(path, f"{text!r} is not one expression", f"a text such as {example}"), source)


def _check_expressions(value: Any, scope: Scope, source: Source, path: Path) -> None:  # noqa: ANN401
    try:
        for at, expression in expressions(value, path):
            check_references(expression, scope, at)
    except InvalidExpression as error:
        place = _nearest(value, path, str(error.place.get("path", "")))
        known = {"line": source.line(place), "step": _step_at(place, source)}
        error.place |= {name: found for name, found in known.items() if found is not None}
        raise


def _nearest(value: Any, prefix: Path, text: str) -> Path:  # noqa: ANN401
    """Return the path that `shown` wrote as `text`, as far as it leads into `value`."""
    path = prefix
    while True:
        items: list[tuple[str | int, Any]] = (
            list(value.items())
            if isinstance(value, Mapping)
            else list(enumerate(value))
            if isinstance(value, list)
            else []
        )
        for part, item in items:
            here = shown((*path, part))
            if text == here or text.startswith((here + ".", here + "[")):
                path, value = (*path, part), item
                break
        else:
            return path
