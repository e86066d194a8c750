"""Which service methods there are tasks for, and what each takes. It asks Celery's registry and sends nothing."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from backend.config.celery import app
from backend.errors import InvalidInput


@dataclass(frozen=True)
class Method:
    """A service method that a task can call. takes_more: arguments of other names are taken too."""

    name: str
    summary: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    takes_more: bool


@cache
def known_methods() -> Mapping[str, Method]:
    """Return the methods of this installation by their names, sorted."""
    app.loader.import_default_modules()
    bodies = {name: getattr(task, "body", None) for name, task in sorted(app.tasks.items())}
    return {name: _described(name, body) for name, body in bodies.items() if body is not None}


def check_call(method: str, arguments: Collection[str]) -> None:
    """Raise InvalidInput where there is no such method, or it does not take arguments of these names."""
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


def _described(name: str, body: Any) -> Method:  # noqa: ANN401  (a function)
    # The first parameter is the claimed task.
    _, *parameters = inspect.signature(body).parameters.values()
    named = [parameter for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    return Method(
        name=name,
        summary=(inspect.getdoc(body) or "").partition("\n")[0],
        required=tuple(parameter.name for parameter in named if parameter.default is parameter.empty),
        optional=tuple(parameter.name for parameter in named if parameter.default is not parameter.empty),
        takes_more=any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters),
    )
