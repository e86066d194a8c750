"""The `repomill` command: its sub-commands, and the one place where errors become messages and exit codes.

A command's module is imported when the command is called, so that `--help` and shell completion stay quick.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from backend.cli import exit_codes
from backend.cli.messages import as_told, debugging, show_error
from backend.errors import InvalidInput, RepomillError

# Name, where it is (a function, or a `typer.Typer` for a group), and its line in the list of commands.
COMMANDS: Final[list[tuple[str, str, str]]] = [
    ("demo", "backend.cli.commands.demo:demo", "Publish a small web service, and show each step of it."),
    ("up", "backend.cli.commands.up:up", "Start everything on this machine: web, workers, beat, Flower, broker."),
    ("run", "backend.cli.commands.run:run", "Start a run of a workflow."),
    ("dry-run", "backend.cli.commands.dry_run:dry_run", "Show what a run would do, with nothing done."),
    ("show", "backend.cli.commands.show:show", "Show a run: steps, attempts, waits, results."),
    ("executions", "backend.cli.commands.executions:executions", "List runs, newest first."),
    ("call", "backend.cli.commands.call:call", "Do one service method as a task, outside any workflow."),
    ("pause", "backend.cli.commands.control:pause", "Let nothing more of a run begin."),
    ("resume", "backend.cli.commands.control:resume", "Let a paused or failed run go on."),
    ("cancel", "backend.cli.commands.control:cancel", "Cancel a run, or one step of it."),
    ("retry", "backend.cli.commands.control:retry", "Do one failed step again."),
    ("rerun", "backend.cli.commands.control:rerun", "Start a run once more, with the same inputs or others."),
    ("resolve", "backend.cli.commands.control:resolve", "Settle a task whose outcome is in doubt."),
    ("mcp", "backend.cli.commands.mcp:mcp", "Serve MCP to an agent on this machine, by standard input and output."),
    ("schema", "backend.cli.commands.schema:schema", "Print the JSON Schema of workflow definitions, for editors."),
    ("projects", "backend.cli.commands.projects:projects", "Make and list projects; log and diff of generations."),
    ("bulk", "backend.cli.commands.bulk:bulk", "Export many projects at once, and show how far that is."),
    ("schedules", "backend.cli.commands.schedules:schedules", "Start bulk exports by the clock."),
    ("credentials", "backend.cli.commands.credentials:credentials", "Keep the secrets that workflows name, encrypted."),
    ("tokens", "backend.cli.commands.tokens:tokens", "Make, list and revoke the tokens of programs."),
    ("migrate", "backend.cli.commands.migrate:migrate", "Bring the database up to date, and make the operator."),
    ("storage", "backend.cli.commands.storage:storage", "Look after the storage that several hosts share."),
    ("flower", "backend.cli.commands.flower:flower", "Run Flower alone, where `repomill up` is not used."),
    ("doctor", "backend.cli.commands.doctor:doctor", "Check the installation and say how to mend what is wrong."),
]

_CONTEXT: Final = {"help_option_names": ["-h", "--help"]}
_PLACES: Final = {name: place for name, place, _ in COMMANDS}
_HELP: Final = {name: line for name, _, line in COMMANDS}


class LazyGroup(TyperGroup):
    """A group that knows its commands' names and help lines, and imports the one that is called."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002  (Typer vendors its context class)
        """Return the names in the table's order."""
        return [name for name, _, _ in COMMANDS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401, ARG002
        """Return what the list of commands needs: a name and a line."""
        return TyperCommand(cmd_name, help=_HELP[cmd_name]) if cmd_name in _HELP else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401
        """Return the command that is called, imported now; an unknown one gets suggestions."""
        self.commands = {name: self.get_command(ctx, name) for name in _HELP}
        name, stub, rest = super().resolve_command(ctx, args)
        return name, stub and load_command(name or ""), rest


def load_command(name: str) -> Any:  # noqa: ANN401
    """Import a command and return it as Typer runs it. Raises KeyError for a name that is not in the table."""
    module, _, attribute = _PLACES[name].partition(":")
    found: typer.Typer | Callable[..., Any] = getattr(import_module(module), attribute)
    if isinstance(found, typer.Typer):
        group = typer.main.get_command(found)
        group.name = name
        return _flowing(group)
    single = typer.Typer(add_completion=False, rich_markup_mode="rich", context_settings=_CONTEXT)
    single.command(name)(found)
    return _flowing(typer.main.get_command(single))


def _flowing(command: Any) -> Any:  # noqa: ANN401
    """Let the help of a command, and of those below it, fill the lines of the terminal and not the source's."""
    for each in (command, *getattr(command, "commands", {}).values()):
        paragraphs = inspect.cleandoc(each.help or "").split("\n\n")
        each.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    return command


app = typer.Typer(
    name="repomill",
    cls=LazyGroup,
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Durable background work for the steps of AI-agent workflows.",
    epilog="Exit codes: 0 done, 1 the run failed, 2 usage, 3 invalid input, 4 not found, 5 conflict, 6 unavailable,"
    " 7 configuration, 8 not permitted, 9 refused elsewhere, 10 in doubt, 11 time limit, 70 a fault of Repomill.",
    context_settings=_CONTEXT,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"repomill {version('repomill')}")
        raise typer.Exit


@app.callback()
def repomill(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Durable background work for the steps of AI-agent workflows."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: this is what the `repomill` script calls."""
    try:
        _require_text(sys.argv[1:] if arguments is None else arguments)
        typer.main.get_command(app).main(args=arguments, prog_name="repomill")
    except RepomillError as error:
        show_error(error)
        sys.exit(exit_codes.exit_code_for(error))
    except Exception as error:
        if debugging():
            raise
        fault = as_told(error)
        show_error(fault)
        sys.exit(exit_codes.exit_code_for(fault))


def _require_text(words: list[str]) -> None:
    """Raise InvalidInput for a word that is not UTF-8: it could be neither kept in the database nor shown."""
    for number, word in enumerate(words, start=1):
        try:
            word.encode()
        except UnicodeEncodeError as error:
            raise InvalidInput(
                "A word of the command line is not UTF-8.",
                field=f"word {number}",
                expected="UTF-8",
                hint="Write it in UTF-8; a file whose name is not is given by a link to it.",
            ) from error
