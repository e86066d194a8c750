"""`repomill run`: starts a workflow's definition."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backend.cli.commands.dry_run import show_dry_run
from backend.cli.django_setup import setup_django

if TYPE_CHECKING:
    from backend.apps.authentication.models import User
    from backend.apps.projects.models import Project
    from backend.apps.workflows.definitions.definition import Definition


def run(
    file: Annotated[Path, typer.Argument(help="The definition, YAML or JSON.", show_default=False)],
    input: Annotated[
        list[str] | None,
        typer.Option("--input", "-i", metavar="NAME=VALUE", help="An input; NAME=@FILE reads it from a file."),
    ] = None,
    project: Annotated[
        str | None, typer.Option("--project", "-p", help="The project to work on: its id or slug.")
    ] = None,
    user: Annotated[str | None, typer.Option("--user", "-u", help="For whom; default: operator.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show it until it has ended.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what it would do.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Start a run of a workflow. Nothing is started where the definition or an input is not valid.

    Exit code 1 where --follow sees the run fail, or somebody cancel it.
    """
    setup_django()
    from rich.console import Console

    from backend.apps.workflows.definitions.check import read_definition_file
    from backend.apps.workflows.services import save_definition, start_execution
    from backend.cli.acting_user import acting_user
    from backend.cli.inputs import read_inputs

    definition = read_definition_file(file)
    if dry_run:
        show_dry_run(definition, inputs=input or [], project=project, user=user, diff=False, items=20, as_json=as_json)
        return
    inputs = read_inputs(input or [], definition.inputs)
    owner = acting_user(user)
    target = _project(project, inputs, definition, owner)
    version = save_definition(definition)
    if version.taken:
        typer.echo(
            "The token in the file is kept encrypted and for this run alone; better name a credential.", err=True
        )
    execution = start_execution(
        version=version,
        inputs=inputs,
        user=owner,
        project_id=target.pk if target else None,
        project_name=target.slug if target else "",
    )
    console = Console()
    if not follow:
        if as_json:
            typer.echo(json.dumps({"id": str(execution.pk), "status": execution.status}))
        else:
            console.print(
                f"Started [bold]{execution.pk}[/bold]. Watch it: repomill show {str(execution.pk)[:8]} --follow"
            )
        return
    follow_to_the_end(execution.pk, console=console, as_json=as_json)


def follow_to_the_end(execution_id: Any, *, console: Any, as_json: bool, events: bool = False) -> None:  # noqa: ANN401  (imported late)
    """Follow an execution; exits with 1 where it fails or is cancelled, with 130 on Ctrl-C.

    events: whether the JSON tells its history too.
    """
    from rich.console import Console

    from backend.apps.workflows.selectors import find_execution
    from backend.cli import exit_codes
    from backend.cli.execution_json import whole
    from backend.cli.following import follow

    execution = find_execution(str(execution_id))
    try:
        execution = follow(execution, Console(stderr=True) if as_json else console)
    except KeyboardInterrupt:
        typer.echo(f"\nThe run goes on. Watch it again: repomill show {execution_id} --follow", err=True)
        raise typer.Exit(exit_codes.INTERRUPTED) from None
    if as_json:
        typer.echo(json.dumps(whole(execution, events=events), indent=2, ensure_ascii=False))
    if execution.status != "completed":
        raise typer.Exit(exit_codes.FAILED)


def _project(name: str | None, inputs: dict[str, Any], definition: Definition, user: User) -> Project | None:
    """Return the project to work on, and fill it in where the workflow asks for it by the input `project`."""
    from backend.apps.projects.selectors import project_by_slug_or_id

    asks = "project" in definition.inputs.get("properties", {})
    given = name or (inputs.get("project") if asks else None)
    if not given:
        return None
    project = project_by_slug_or_id(user=user, reference=str(given), write=True)
    if asks:
        inputs["project"] = str(project.pk)
    return project
