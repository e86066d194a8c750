"""The page of the command line, from the commands themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from backend.cli import exit_codes
from backend.cli.app import COMMANDS, load_command
from scripts.reference.page import code, page, plain, table


def render() -> str:
    """Return the page."""
    doc = inspect.getdoc(exit_codes) or ""
    codes = "\n".join(line for line in doc.splitlines() if line.startswith("|"))
    return page(
        "Command line",
        "`repomill COMMAND --help` says the same in a terminal. `--json` is for scripts: what is asked for goes to the"
        " standard output and everything else to the standard error.",
        *(part for name, command in commands() for part in _command(name, command)),
        "## Exit codes",
        codes,
    )


def commands() -> Iterator[tuple[str, Any]]:
    """Give each command with its full name; of a group, each of its commands."""
    for name, _, _ in COMMANDS:
        yield from _with_those_below(f"repomill {name}", load_command(name))


def _with_those_below(name: str, command: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    if getattr(command, "hidden", False):
        return
    below = getattr(command, "commands", None)
    if below is None:
        yield name, command
        return
    for each, inner in below.items():
        yield from _with_those_below(f"{name} {each}", inner)


def _command(name: str, command: Any) -> Iterator[str]:  # noqa: ANN401
    parameters = [each for each in command.params if not getattr(each, "hidden", False) and each.name != "help"]
    arguments = [each for each in parameters if each.param_type_name == "argument"]
    options = [each for each in parameters if each.param_type_name == "option"]
    shown = " ".join([name, *(_argument(each) for each in arguments), *(["[OPTIONS]"] if options else [])])
    yield f"## {name.removeprefix('repomill ')}"
    yield f"```\n{shown}\n```"
    yield plain(inspect.cleandoc(command.help or "").replace("\b\n", "").replace("\f", ""))
    yield table(
        ["argument", ""], [(code(_argument(each)), plain(getattr(each, "help", "") or "")) for each in arguments]
    )
    yield table(["option", ""], [(_names(each), plain(_told(each))) for each in options])


def _argument(argument: Any) -> str:  # noqa: ANN401
    name = (argument.metavar or argument.name or "").upper()
    name += "..." if argument.nargs != 1 and not name.endswith("...") else ""
    return name if argument.required or name.startswith("[") else f"[{name}]"


def _names(option: Any) -> str:  # noqa: ANN401
    names = ", ".join(code(name) for name in [*option.opts, *option.secondary_opts])
    return names if option.is_flag else f"{names} {code(option.metavar or option.name.upper())}"


def _told(option: Any) -> str:  # noqa: ANN401
    told = str(option.help or "")
    if option.is_flag or option.default in (None, "", [], ()) or callable(option.default) or "default" in told:
        return told
    return f"{told.rstrip('.')}; default {option.default}."
