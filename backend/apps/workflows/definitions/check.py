"""Checks a definition: its form, its graph, its step types and every expression, before anything is stored."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

from backend.apps.workflows import step_types
from backend.apps.workflows.definitions.definition import Definition, Step, from_data
from backend.apps.workflows.definitions.expressions import Expression
from backend.apps.workflows.definitions.json_values import check_json
from backend.apps.workflows.definitions.rendering import cut, expressions, shown
from backend.apps.workflows.definitions.schema import (
    DEFINITION_SCHEMA,
    Misfit,
    Path,
    check,
    check_schema,
    check_with_expressions,
)
from backend.apps.workflows.definitions.source import Source, read_source
from backend.apps.workflows.errors import InvalidDefinition, InvalidExpression


def read_definition(text: str, *, is_json: bool = False) -> Definition:
    """Read and check the text of a definition.

    Raises InvalidDefinition with line, path and what was expected.
    """
    return check_source(read_source(text, is_json=is_json))


def read_definition_file(path: FilePath) -> Definition:
    """Read and check a definition's file; a name that ends in `.json` is read as JSON.

    Raises InvalidDefinition, also where the file cannot be read.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InvalidDefinition(f"The definition {path} cannot be read: {reason}.", path=str(path)) from error
    return read_definition(text, is_json=path.suffix == ".json")


def check_definition(data: Any) -> Definition:  # noqa: ANN401  (what it is, is found out here)
    """Check a definition that is JSON data already. Raises InvalidDefinition with the path."""
    return check_source(Source(data))


def check_source(source: Source) -> Definition:
    """Check a definition that has been read. Raises InvalidDefinition with path and, where known, line."""
    check_json(source.data, where="definition")
    _refuse(check(source.data, DEFINITION_SCHEMA), source)
    definition = from_data(source.data)
    _refuse(check_schema(definition.inputs), source, ("inputs",))
    _check_graph(definition, source)
    for index, step in enumerate(definition.steps):
        _check_type(step, source, ("steps", index))
        known = _upstream(definition, step.id)
        _check_expressions(step.config, definition, known, source, ("steps", index, "config"))
        if step.condition is not None:
            _check_expressions(step.condition, definition, known, source, ("steps", index, "condition"))
            _check_condition(step.condition, source, ("steps", index, "condition"))
    everything = {step.id for step in definition.steps}
    _check_expressions(definition.outputs, definition, everything, source, ("outputs",))
    return definition


def _refuse(misfit: Misfit | None, source: Source, prefix: Path = ()) -> None:
    if misfit is not None:
        path = (*prefix, *misfit.path)
        raise InvalidDefinition(
            misfit.sentence, line=source.line(path), path=shown(path) or "the whole", expected=misfit.expected
        )


def _check_graph(definition: Definition, source: Source) -> None:
    ids = [step.id for step in definition.steps]
    for index, step in enumerate(definition.steps):
        if ids.index(step.id) != index:
            _refuse(Misfit(("steps", index, "id"), f"Two steps are called {step.id!r}", "an id of its own"), source)
        for at, name in enumerate(step.depends_on):
            if name not in ids:
                close = difflib.get_close_matches(name, ids, n=1)
                meant = f"; did you mean {close[0]!r}?" if close else ""
                place = ("steps", index, "depends_on", at)
                _refuse(Misfit(place, f"There is no step {name!r}{meant}", "one of " + ", ".join(ids)), source)
    for index, step in enumerate(definition.steps):
        if step.id in _upstream(definition, step.id):
            path = ("steps", index, "depends_on")
            _refuse(
                Misfit(path, f"The step {step.id!r} waits for itself", "steps that do not wait in a circle"), source
            )


def _upstream(definition: Definition, step_id: str) -> set[str]:
    """Return the ids of all steps that have finished when this one starts."""
    depends_on = {step.id: step.depends_on for step in definition.steps}
    found: set[str] = set()
    waiting = list(depends_on[step_id])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(depends_on[name])
    return found


def _check_type(step: Step, source: Source, path: Path) -> None:
    step_type = step_types.get(step.type)
    if step_type is None:
        names = step_types.names()
        close = difflib.get_close_matches(step.type, names, n=1)
        meant = f"; did you mean {close[0]!r}?" if close else ""
        misfit = Misfit((*path, "type"), f"There is no step type {step.type!r}{meant}", "one of " + ", ".join(names))
        _refuse(misfit, source)
    else:
        _refuse(check_with_expressions(step.config, step_type.config_schema), source, (*path, "config"))


def _check_condition(condition: str, source: Source, path: Path) -> None:
    if cut(condition).whole is None:
        _refuse(Misfit(path, f"{condition!r} is not one expression", "a text such as ${{ inputs.name != '' }}"), source)


def _check_expressions(value: Any, definition: Definition, known: set[str], source: Source, path: Path) -> None:  # noqa: ANN401
    try:
        for at, expression in expressions(value, path):
            _check_references(expression, definition, known, source, at)
    except InvalidExpression as error:
        if "line" not in error.place:
            line = source.line(_nearest(value, path, str(error.place.get("path", ""))))
            error.place |= {"line": line} if line else {}
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


def _check_references(
    expression: Expression, definition: Definition, known: set[str], source: Source, path: Path
) -> None:
    for reference in expression.references:
        root, *rest = reference.parts
        allowed = _allowed(str(root), definition, known)
        if not rest or allowed is None or rest[0] in allowed:
            continue
        column = reference.column
        raise InvalidExpression(
            f"In the expression {expression.text!r}, column {column}: unknown reference {str(reference)!r}.",
            line=source.line(path),
            path=shown(path),
            column=column,
            expected=", ".join(f"{root}.{name}" for name in allowed) or f"nothing of {root} can be read here",
            hint="A step can read the results of the steps it depends on." if root == "steps" else None,
        )


def _allowed(root: str, definition: Definition, known: set[str]) -> list[str] | None:
    """Return the names below a root; None where the definition does not say which there are."""
    if root == "steps":
        return sorted(known)
    if root == "run":
        return ["id", "project", "project_name", "user"]
    properties = definition.inputs.get("properties", {})
    return sorted(properties) if properties and not definition.inputs.get("additionalProperties") else None
