"""`repomill tokens`: what programs act with over REST. A token's value is printed once, when it is made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backend.cli.django_setup import setup_django

if TYPE_CHECKING:
    from backend.apps.authentication.models import ServiceToken
    from backend.apps.authentication.models import User as UserModel

tokens = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Make, list and revoke the tokens that programs act with over REST.",
    epilog="Scopes: read (always), write (stories, files), run (executions, exports), manage (members, deletion).",
)

Name = Annotated[str, typer.Argument(help="The token's name, such as ci.", show_default=False)]
User = Annotated[str | None, typer.Option("--user", "-u", help="Whose; default: operator.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@tokens.command("add")
def add(
    name: Name,
    scope: Annotated[list[str] | None, typer.Option("--scope", "-s", help="write, run or manage; may repeat.")] = None,
    project: Annotated[
        str | None, typer.Option("--project", "-p", help="Good for this project alone.", metavar="NAME")
    ] = None,
    days: Annotated[int, typer.Option("--days", help="Until it expires.")] = 90,
    user: User = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and print it. It is not kept, so it cannot be shown again.

    Only the token goes to the standard output: repomill tokens add ci --scope run > token
    """
    owner = _user(user)
    from backend.apps.authentication.services.service_tokens import add_token
    from backend.apps.projects.selectors import project_by_slug_or_id

    only = None if project is None else project_by_slug_or_id(user=owner, reference=project).pk
    made = add_token(user=owner, name=name, scopes=scope or (), days=days, project_id=only)
    if as_json:
        _print_json({**_as_json(made.row), "token": made.value})
        return
    typer.echo(made.value)
    typer.echo(
        f"Keep it now; it is not shown again. Good until {made.row.expires_at:%Y-%m-%d} for"
        f" {', '.join(made.row.scopes)}. Send it as: Authorization: Bearer TOKEN",
        err=True,
    )


@tokens.command("list")
def list_tokens(user: User = None, as_json: AsJson = False) -> None:
    """List a user's tokens, newest first, without their values."""
    owner = _user(user)
    from django.utils import timezone

    from backend.apps.authentication.selectors import own_tokens

    rows = list(own_tokens(user=owner))
    if as_json:
        _print_json([_as_json(row) for row in rows])
    elif not rows:
        typer.echo("No tokens. Make one: repomill tokens add NAME --scope run")
    else:
        _print_table(rows, owner, now=timezone.now())


@tokens.command("revoke")
def revoke(name: Name, user: User = None, as_json: AsJson = False) -> None:
    """Revoke a token: whoever has it is refused from now on."""
    owner = _user(user)
    from backend.apps.authentication.selectors import own_token
    from backend.apps.authentication.services.service_tokens import revoke_token

    row = own_token(user=owner, name=name)
    revoke_token(token=row)
    if as_json:
        _print_json({"revoked": row.name})
    else:
        typer.echo(f"Revoked {row.name}.")


def _print_table(rows: list[ServiceToken], owner: UserModel, *, now: Any) -> None:  # noqa: ANN401  (a datetime)
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from backend.apps.projects.selectors import visible_projects
    from backend.cli.messages import visible

    slugs = dict(visible_projects(user=owner).values_list("pk", "slug"))
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("name", "ends in", "scopes", "project", "expires", "last used"):
        table.add_column(heading, no_wrap=heading == "name", overflow="fold")
    for row in rows:
        project = "all" if row.project_id is None else slugs.get(row.project_id, "gone")
        expires = f"{row.expires_at:%Y-%m-%d}" + (" (expired)" if row.expires_at <= now else "")
        used = f"{row.last_used_at:%Y-%m-%d %H:%M}" if row.last_used_at else "never"
        cells = (visible(row.name), f"...{row.ending}", ", ".join(row.scopes), project, expires, used)
        table.add_row(*(Text(cell) for cell in cells))
    Console().print(table)


def _as_json(row: ServiceToken) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "name": row.name,
        "ending": row.ending,
        "scopes": row.scopes,
        "project": row.project_id and str(row.project_id),
        "expires_at": row.expires_at.isoformat(),
        "last_used_at": row.last_used_at and row.last_used_at.isoformat(),
        "created_at": row.created_at.isoformat(),
    }


def _user(username: str | None) -> UserModel:
    setup_django()
    from backend.cli.acting_user import acting_user

    return acting_user(username)


def _print_json(value: Any) -> None:  # noqa: ANN401
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
