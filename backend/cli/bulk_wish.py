"""The options that say what a bulk export is to be: the same for all commands that plan, start or schedule one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_type_hints

import typer

from backend.errors import InvalidInput

Option = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="NAME=VALUE",
        help="Of the destination: credential, repository_name (a pattern: backup-{slug}), organization, private, ...",
    ),
]


def wish_of(
    to: Annotated[str, typer.Option("--to", "-t", help="zip, tar, tar.gz, github, gitlab or git.")] = "zip",
    owner: Annotated[str | None, typer.Option("--owner", help="Only the projects of this user.")] = None,
    label: Annotated[str | None, typer.Option("--label", "-l", help="Only the projects with this label.")] = None,
    project: Annotated[list[str] | None, typer.Option("--project", "-p", help="These, by slug or id.")] = None,
    changed_only: Annotated[
        bool, typer.Option("--changed-only", help="Have no items for what the destination has already.")
    ] = False,
    option: Option = None,
    all_again: Annotated[
        bool, typer.Option("--all-again", help="Deliver also what the destination has already.")
    ] = False,
    window: Annotated[int | None, typer.Option("--window", "-w", help="How many are in flight at most.")] = None,
) -> dict[str, Any]:
    """Return what the options ask for, as the services take it. Raises InvalidInput for options that contradict."""
    if changed_only and all_again:
        raise InvalidInput(
            "Either all again, or only what has changed.", field="--all-again", hint="Leave one of them out."
        )
    wanted = {
        "selection": _selection(owner, label, project) | ({"changed_only": True} if changed_only else {}),
        "export_type": to,
        "destination": _destination(option or []),
        "skip_unchanged": not all_again,
    }
    return wanted if window is None else {**wanted, "window": window}


def wishing(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options before its own; it takes what they ask for as `wish`."""
    options = inspect.signature(wish_of).parameters
    own = [parameter for name, parameter in inspect.signature(command).parameters.items() if name != "wish"]

    @functools.wraps(command)
    def run(**given: Any) -> None:  # noqa: ANN401
        chosen = {name: given.pop(name) for name in options}
        command(wish=wish_of(**chosen), **given)

    hints = get_type_hints(wish_of, include_extras=True) | get_type_hints(command, include_extras=True)
    parameters = [*options.values(), *own]
    run.__annotations__ = {parameter.name: hints[parameter.name] for parameter in parameters} | {"return": None}
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # functools and typer both know it
        [
            parameter.replace(annotation=hints[parameter.name], kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in parameters
        ]
    )
    return run


def said_something(context: typer.Context) -> bool:
    """Say whether one of these options was given on the command line."""
    sources = [context.get_parameter_source(name) for name in inspect.signature(wish_of).parameters]
    # By its name: typer has a copy of click of its own, and no public way to the enumeration.
    return any(source is not None and source.name == "COMMANDLINE" for source in sources)


def _selection(owner: str | None, label: str | None, projects: list[str] | None) -> dict[str, Any]:
    given = [name for name, value in (("--owner", owner), ("--label", label), ("--project", projects)) if value]
    if len(given) > 1:
        raise InvalidInput(
            "Say in one way which projects.", field=given[1], expected="one of --owner, --label, --project"
        )
    if owner:
        return {"kind": "owner", "owner": owner}
    if label:
        return {"kind": "label", "label": label}
    return {"kind": "list", "projects": projects} if projects else {"kind": "all"}


def _destination(options: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not equals:
            raise InvalidInput(f"{option[:100]!r} sets nothing.", field="--set", expected="NAME=VALUE")
        found[name] = {"true": True, "false": False}.get(value, value) if name == "private" else value
        if name == "topics":
            found[name] = [topic.strip() for topic in value.split(",") if topic.strip()]
    return found
