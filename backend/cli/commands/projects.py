"""`repomill projects`: make and list projects, and see what generations changed."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from backend.cli.commands.project_history import diff, log
from backend.cli.django_setup import setup_django
from backend.cli.messages import visible

projects = typer.Typer(no_args_is_help=True, help="Make and list projects, and see what generations changed.")
projects.command("log")(log)
projects.command("diff")(diff)


@projects.command("create")
def create(
    name: Annotated[str, typer.Argument(help="The project's name.", show_default=False)],
    user: Annotated[str | None, typer.Option("--user", "-u", help="Its owner; default: operator.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a project. Its slug is made from the name."""
    setup_django()
    from backend.apps.projects.services.planning import create_project
    from backend.cli.acting_user import acting_user

    project = create_project(user=acting_user(user), name=name)
    if as_json:
        typer.echo(json.dumps({"id": str(project.pk), "slug": project.slug}))
    else:
        typer.echo(f"Made the project {project.slug} ({project.pk}).")


@projects.command("list")
def list_projects(
    user: Annotated[str | None, typer.Option("--user", "-u", help="Whose; default: operator.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the projects that a user can see."""
    setup_django()
    from backend.apps.projects.selectors import visible_projects
    from backend.cli.acting_user import acting_user

    found = visible_projects(user=acting_user(user))
    if as_json:
        typer.echo(json.dumps([{"id": str(row.pk), "slug": row.slug, "name": row.name} for row in found], indent=2))
        return
    for row in found:
        typer.echo(f"{row.slug:30}  {row.pk}  {visible(row.name)}")


@projects.command("label")
def label(
    project: Annotated[str, typer.Argument(help="Its slug or id.", show_default=False)],
    names: Annotated[list[str] | None, typer.Argument(help="Labels to add.", show_default=False)] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", "-r", help="A label to take away.")] = None,
    user: Annotated[str | None, typer.Option("--user", "-u", help="Who does it; default: operator.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Add labels to a project, take some away, and show those it has: bulk exports choose by them."""
    setup_django()
    from backend.apps.projects.selectors import project_by_slug_or_id
    from backend.apps.projects.services.labels import change_labels
    from backend.cli.acting_user import acting_user

    actor = acting_user(user)
    found = project_by_slug_or_id(user=actor, reference=project, write=True)
    labels = change_labels(user=actor, project=found, add=names or [], remove=remove or [])
    typer.echo(json.dumps(labels) if as_json else " ".join(labels) or "No labels.")
