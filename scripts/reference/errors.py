"""The page of error codes, from the classes of errors and the two places that map them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages

import backend
import workers
from backend.api.errors import status_of
from backend.cli.exit_codes import exit_code_for
from backend.errors import RepomillError
from scripts.reference.page import code, page, plain, table


def render() -> str:
    """Return the page."""
    return page(
        "Error codes",
        "An error has a stable code, a sentence, and where that helps a hint and a place (`field`, `path`, `line`)."
        " Over REST it is a problem with `code`; in a run's history and state it is the `error` of its step and task;"
        " the command line ends with the exit code. What may pass is tried again by the engine in a run's tasks; a"
        " request or a command of your own is yours to repeat.",
        table(
            ["code", "meaning", "HTTP", "exit code", "tried again"],
            [
                (
                    code(kind.code),
                    plain((kind.__doc__ or "").strip().splitlines()[0]),
                    str(status_of(kind())),
                    str(exit_code_for(kind())),
                    "yes" if kind.retryable else "no",
                )
                for kind in kinds()
            ],
        ),
    )


def kinds() -> list[type[RepomillError]]:
    """Return the class of each code, by code: where several share one, the topmost."""
    for package in (backend, workers):
        for module in walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.rpartition(".")[2] == "errors" or module.name in OTHERS:
                import_module(module.name)
    found: dict[str, type[RepomillError]] = {}
    for kind in _below(RepomillError):
        found.setdefault(kind.code, kind)
    return [found[name] for name in sorted(found)]


OTHERS = {"backend.apps.exports.services.pacing_store"}
"""Modules with errors of their own that are not called `errors`."""


def _below(kind: type[RepomillError]) -> Iterator[type[RepomillError]]:
    if kind.__module__.startswith(("backend.", "workers.")):
        yield kind
    for each in kind.__subclasses__():
        yield from _below(each)
