"""`repomill dry-run`: what a workflow would generate, request and push, with nothing done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backend.cli.django_setup import setup_django

if TYPE_CHECKING:
    from backend.apps.workflows.definitions.definition import Definition


def dry_run(
    workflow: Annotated[
        str, typer.Argument(help="The definition's file, or the name of a saved workflow.", show_default=False)
    ],
    input: Annotated[
        list[str] | None,
        typer.Option("--input", "-i", metavar="NAME=VALUE", help="An input; NAME=@FILE reads it from a file."),
    ] = None,
    project: Annotated[
        str | None, typer.Option("--project", "-p", help="The project it would work on: its id or slug.")
    ] = None,
    user: Annotated[str | None, typer.Option("--user", "-u", help="For whom; default: operator.")] = None,
    diff: Annotated[bool, typer.Option("--diff", "-d", help="Show the files' contents and diffs too.")] = False,
    items: Annotated[
        int, typer.Option("--items", min=1, max=200, help="Items of a step with `each` to work out one by one.")
    ] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what a run would generate, request and push. Nothing is done and nothing is recorded.

    What only a run can tell stands between « and ». Secrets may be left out. Exit code 1 where a run would fail.
    """
    setup_django()
    show_dry_run(
        _definition(workflow, user=user, project=project),
        inputs=input or [],
        project=project,
        user=user,
        diff=diff,
        items=items,
        as_json=as_json,
    )


def show_dry_run(
    definition: Definition,
    *,
    inputs: list[str],
    project: str | None,
    user: str | None,
    diff: bool,
    items: int,
    as_json: bool,
) -> None:
    """Work a dry run out and print it; exits with 1 where the run would fail. inputs: as on the command line."""
    from rich.console import Console

    from backend.apps.workflows.dry_run_json import dry_run_as_json
    from backend.apps.workflows.services.dry_run import dry_run as worked_out
    from backend.cli import exit_codes
    from backend.cli.acting_user import acting_user
    from backend.cli.dry_run_view import print_dry_run
    from backend.cli.inputs import read_inputs

    found = worked_out(
        definition=definition,
        inputs=read_inputs(inputs, definition.inputs),
        user=acting_user(user),
        project=project,
        items=items,
    )
    if as_json:
        typer.echo(json.dumps(dry_run_as_json(found), indent=2, ensure_ascii=False))
    else:
        print_dry_run(found, Console(), contents=diff)
    if found.outcome != "completed":
        raise typer.Exit(exit_codes.FAILED)


def _definition(workflow: str, *, user: str | None, project: str | None) -> Definition:
    from backend.apps.workflows.definition_selectors import get_version
    from backend.apps.workflows.definitions.check import read_definition_file
    from backend.apps.workflows.execution.reading import definition_of
    from backend.cli.acting_user import acting_user
    from backend.errors import NotFound

    path = Path(workflow)
    if path.exists() or path.suffix or "/" in workflow:
        return read_definition_file(path)
    try:
        return definition_of(get_version(user=acting_user(user), workflow=workflow, project=project).pk)
    except NotFound as error:
        raise NotFound(
            f"There is neither a file nor a workflow {workflow[:100]!r}.", field="workflow", hint="Check the name."
        ) from error
