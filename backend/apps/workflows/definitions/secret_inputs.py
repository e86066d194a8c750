"""Inputs that are secrets: which they are, and where a definition may use them. Pure.

An input is a secret where its schema says `writeOnly: true`, and by its name: `token`, `password` and their like. Its
value is never stored in clear: expressions read a reference, which is opened where a step's config wants a secret, and
means nothing anywhere else. So it is refused anywhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from backend.apps.credentials.services.literal_secrets import (
    SECRET_KEYS,
    Place,
    holds_secrets,
    is_secret_key,
    literals,
    replaced,
    require_nowhere_else,
)
from backend.apps.workflows.definitions.definition import Definition, Step
from backend.apps.workflows.definitions.rendering import cut, expressions
from backend.apps.workflows.definitions.schema import Misfit, check
from backend.errors import InvalidInput

_TELLING = ("default", "const", "enum", "examples")
_TEXTS = ("string", ["string", "null"], ["null", "string"])
_PLACES = "the whole value of one of " + ", ".join(sorted(SECRET_KEYS)) + " in a step's config"


def is_secret_input(schema: Mapping[str, Any], name: str) -> bool:
    """Return whether the input of that name is a secret. schema: of a workflow's inputs."""
    properties = schema.get("properties")
    described = properties.get(name) if isinstance(properties, Mapping) else None
    marked = isinstance(described, Mapping) and described.get("writeOnly") is True
    return marked or is_secret_key(name)


def without_secrets(misfit: Misfit, inputs: Mapping[str, Any], schema: Mapping[str, Any]) -> Misfit:
    """Return a misfit of inputs in words that repeat none of the secrets among them."""
    secrets = [name for name in inputs if is_secret_input(schema, name)]
    if misfit.path:
        return replace(misfit, message="The value does not fit") if misfit.path[0] in secrets else misfit
    # About all of them together: its words may show them all, unless they say the same without the secrets.
    same = check({name: "" if name in secrets else value for name, value in inputs.items()}, schema)
    return misfit if not secrets or same == misfit else replace(misfit, message="The inputs do not fit together")


def misfits(definition: Definition) -> Iterator[Misfit]:
    """Yield what is wrong with a definition's secrets. No misfit repeats one."""
    yield from _in_schema(definition.inputs)
    for index, step in enumerate(definition.steps):
        yield from _in_config(step, definition.inputs, ("steps", index, "config"))
    for path, expression in expressions(definition.outputs, ("outputs",)):
        if names := _secrets_of(expression.references, definition.inputs):
            yield _misplaced(path, names[0])


def _in_schema(schema: Mapping[str, Any]) -> Iterator[Misfit]:
    properties = schema.get("properties")
    for name, described in properties.items() if isinstance(properties, Mapping) else ():
        if not is_secret_input(schema, name):
            continue
        path: Place = ("inputs", "properties", name)
        kind = described.get("type", "string") if isinstance(described, Mapping) else "string"
        if kind not in _TEXTS:
            yield Misfit((*path, "type"), f"The input {name!r} is a secret, and a secret is a text", "string")
        for telling in _TELLING:
            if isinstance(described, Mapping) and telling in described:
                yield Misfit((*path, telling), f"The input {name!r} is a secret, and this would show it", "nothing")
    for path in _marks(schema, ("inputs",)):
        if len(path) != 4 or path[1] != "properties":
            yield Misfit(path, "Only a whole input can be writeOnly", "inputs.properties.NAME.writeOnly")


def _marks(value: Any, path: Place) -> Iterator[Place]:  # noqa: ANN401  (JSON)
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "writeOnly" and inner is True:
                yield (*path, key)
            elif key not in _TELLING:
                yield from _marks(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _marks(inner, (*path, number))


def _in_config(step: Step, inputs: Mapping[str, Any], path: Place) -> Iterator[Misfit]:
    try:
        found = literals(step.config)
        require_nowhere_else(replaced(step.config, dict.fromkeys(found)), found)
    except InvalidInput as error:
        place = str(error.place.get("field", "")).split(".")
        yield Misfit((*path, *place), error.message.removesuffix("."), str(error.place.get("expected") or error.hint))
    for at, text, is_key in _texts(step.config, ()):
        whole = None if is_key else cut(text).whole
        opened = whole is not None and whole.source is None and holds_secrets(at)
        for _, expression in () if opened else expressions(text):
            if names := _secrets_of(expression.references, inputs):
                yield _misplaced((*path, *at), names[0])


def _texts(value: Any, path: Place) -> Iterator[tuple[Place, str, bool]]:  # noqa: ANN401  (JSON)
    """Yield every text with its place, and whether it is a key."""
    if isinstance(value, str):
        yield path, value, False
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield (*path, key), key, True
            yield from _texts(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _texts(inner, (*path, number))


def _secrets_of(references: Any, inputs: Mapping[str, Any]) -> list[str]:  # noqa: ANN401  (of an expression)
    parts = [reference.parts for reference in references]
    return [
        str(part[1]) for part in parts if part[0] == "inputs" and len(part) > 1 and is_secret_input(inputs, part[1])
    ]


def _misplaced(path: Place, name: str) -> Misfit:
    return Misfit(path, f"The input {name!r} is a secret and cannot be used here", _PLACES)
