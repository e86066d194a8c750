"""Which service methods there are tasks for, and what each takes. It asks Celery's registry and sends nothing.

What an argument may be is in the annotations of the task's body, and is checked as JSON Schema before a call is
recorded. Whether a text is a good path, or a name free, only the service can say.
"""

from __future__ import annotations

import difflib
import inspect
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from backend.apps.credentials.secret import Secret
from backend.apps.workflows.definitions.rendering import shown
from backend.apps.workflows.definitions.schema import check
from backend.config.celery import app
from backend.errors import InvalidInput

JSON_TYPES = {
    str: "string",
    Secret: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    dict: "object",
    list: "array",
    NoneType: "null",
}


@dataclass(frozen=True)
class Method:
    """A service method that a task can call.

    takes_more: arguments of other names are taken too. arguments: the JSON Schema of each that has a name.
    """

    name: str
    summary: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    takes_more: bool
    arguments: Mapping[str, Any]


@cache
def known_methods() -> Mapping[str, Method]:
    """Return the methods of this installation by their names, sorted."""
    app.loader.import_default_modules()
    bodies = {name: getattr(task, "body", None) for name, task in sorted(app.tasks.items())}
    return {name: _described(name, body) for name, body in bodies.items() if body is not None}


def check_call(method: str, arguments: Mapping[str, Any]) -> None:
    """Raise InvalidInput where there is no such method, or it takes no arguments of these names or kinds."""
    known = known_methods()
    if method not in known:
        near = difflib.get_close_matches(method, known, n=3) or [name for name in known if method in name][:3]
        raise InvalidInput(
            f"There is no method {method[:100]!r}.",
            field="method",
            expected=near or None,
            hint="All of them: repomill call --list",
        )
    wanted = known[method]
    if missing := [name for name in wanted.required if name not in arguments]:
        raise InvalidInput(f"{method} needs the argument {missing[0]!r}.", field=f"arguments.{missing[0]}")
    taken = [*wanted.required, *wanted.optional]
    if not wanted.takes_more and (strange := [name for name in arguments if name not in taken]):
        raise InvalidInput(
            f"{method} takes no argument {strange[0][:100]!r}.",
            field=f"arguments.{strange[0][:100]}",
            expected=taken or "no arguments",
        )
    if misfit := check(arguments, {"properties": wanted.arguments}):
        raise InvalidInput(
            f"{method} cannot take this {shown(misfit.path)!r}: {misfit.sentence[0].lower()}{misfit.sentence[1:]}",
            field=shown(("arguments", *misfit.path)),
            expected=misfit.expected,
        )


def _described(name: str, body: Any) -> Method:  # noqa: ANN401  (a function)
    # The first parameter is the claimed task.
    _, *parameters = inspect.signature(body).parameters.values()
    hints = get_type_hints(body)
    named = [parameter for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    return Method(
        name=name,
        summary=(inspect.getdoc(body) or "").partition("\n")[0],
        required=tuple(parameter.name for parameter in named if parameter.default is parameter.empty),
        optional=tuple(parameter.name for parameter in named if parameter.default is not parameter.empty),
        takes_more=any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters),
        arguments={parameter.name: _schema(hints.get(parameter.name)) for parameter in named},
    )


def _schema(hint: Any) -> dict[str, Any]:  # noqa: ANN401  (an annotation)
    """Return the JSON Schema of an annotation; an empty one, which everything fits, for what has none in JSON."""
    origin = get_origin(hint) or hint
    if origin in (Union, UnionType):
        parts = [_schema(part) for part in get_args(hint)]
        # Of the kinds that there are only a list says more than its type, and that holds beside `null` as well.
        return {**dict(ChainMap(*parts)), "type": [part["type"] for part in parts]} if all(parts) else {}
    if origin not in JSON_TYPES:
        return {}
    found: dict[str, Any] = {"type": JSON_TYPES[origin]}
    if origin is list and (items := _schema(*get_args(hint)[:1] or (None,))):
        found["items"] = items
    return found
