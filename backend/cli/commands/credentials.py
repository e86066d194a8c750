"""`repomill credentials`: the encrypted secrets that workflows name. A value comes from a prompt, stdin or a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from backend.cli import exit_codes
from backend.cli.commands.credential_keys import rotate_keys
from backend.cli.django_setup import setup_django
from backend.cli.secret_input import NO_VALUES, read_secret, refuse_arguments
from backend.errors import InvalidInput

if TYPE_CHECKING:
    from backend.apps.authentication.models import User as UserModel
    from backend.apps.credentials.models import Credential
    from backend.apps.credentials.secret import Secret
    from backend.cli.credential_results import Result

credentials = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Keep the secrets that workflows name: add, list, check, rotate and remove them.",
    epilog="A value is never given as an argument, and never shown. In a workflow: credential: NAME",
)

NONE = "No credentials. Add one: repomill credentials add NAME --host github"

Name = Annotated[str, typer.Argument(help="The credential's name, such as acme-bot.", show_default=False)]
User = Annotated[str | None, typer.Option("--user", "-u", help="Whose; default: operator.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
FromFile = Annotated[Path | None, typer.Option("--from-file", metavar="FILE", help="Read the value from this file.")]
Stdin = Annotated[bool, typer.Option("--stdin", help="Read the value from the standard input.")]
NoCheck = Annotated[bool, typer.Option("--no-check", help="Do not ask the host whether it accepts the value.")]


@credentials.command("add", context_settings=NO_VALUES)
def add(
    context: typer.Context,
    name: Name,
    host: Annotated[str, typer.Option("--host", help="github, gitlab or git.", show_default=False)],
    base_url: Annotated[
        str | None, typer.Option("--base-url", metavar="URL", help="The address of a server of your own.")
    ] = None,
    username: Annotated[
        str | None, typer.Option("--username", help="What goes with it in git; default: what the host wants.")
    ] = None,
    project: Annotated[
        str | None, typer.Option("--project", "-p", help="Share it with this project's members.", metavar="NAME")
    ] = None,
    from_file: FromFile = None,
    stdin: Stdin = False,
    no_check: NoCheck = False,
    user: User = None,
    as_json: AsJson = False,
) -> None:
    """Add a credential. Its value is asked for, or read with --stdin or --from-file.

    The host is asked whether it accepts the value; what it rejects is not kept. What cannot be asked now is kept.
    """
    refuse_arguments(context)
    owner = _user(user)
    from backend.apps.credentials.services.keeping import new_credential, require_free_name, store_credential
    from backend.apps.projects.selectors import project_by_slug_or_id

    shared = None if project is None else project_by_slug_or_id(user=owner, reference=project, write=True)
    secret = read_secret(name=name, from_file=from_file, stdin=stdin)
    row = new_credential(
        user=owner,
        name=name,
        host=host,
        secret=secret,
        base_url=base_url,
        username=username,
        project_id=None if shared is None else shared.pk,
    )
    require_free_name(row)
    result = _result(row, secret, ask=not no_check)
    store_credential(row, secret=secret)
    _conclude(row, result, said=f"Added {row.name}.", as_json=as_json)


@credentials.command("list")
def list_credentials(user: User = None, as_json: AsJson = False) -> None:
    """List the credentials that a user can name: their own, and those shared with their projects."""
    owner = _user(user)
    from rich.console import Console

    from backend.cli import credential_view

    projects, rows = _visible(owner)
    if as_json:
        _print_json([credential_view.as_json(row, projects=projects) for row in rows])
    elif not rows:
        typer.echo(NONE)
    else:
        credential_view.print_table(rows, projects=projects, console=Console())


@credentials.command("check")
def check_credentials(
    name: Annotated[str | None, typer.Argument(help="Which; default: all.", show_default=False)] = None,
    user: User = None,
    as_json: AsJson = False,
) -> None:
    """Ask the host whose a credential is, what it may do, when it expires, and how many requests are left.

    With no name all are checked; the exit code is 1 then when one of them failed.
    """
    owner = _user(user)
    from backend.cli.credential_results import check, result_json, show_result

    projects, rows = _visible(owner)
    results = [(row, check(row)) for row in (rows if name is None else [_named(rows, name, owner)])]
    failures = [result.failure for _, result in results if result.failure is not None]
    if name is not None and failures:
        raise failures[0]
    shown = [result_json(row, result, projects=projects) for row, result in results]
    if as_json:
        _print_json(shown if name is None else shown[0])
    elif not results:
        typer.echo(NONE)
    else:
        for row, result in results:
            show_result(row, result, said=row.name)
    if failures:
        raise typer.Exit(exit_codes.FAILED)


@credentials.command("rotate", context_settings=NO_VALUES)
def rotate(
    context: typer.Context,
    name: Name,
    from_file: FromFile = None,
    stdin: Stdin = False,
    no_check: NoCheck = False,
    user: User = None,
    as_json: AsJson = False,
) -> None:
    """Give a credential a new value. Its name stays, and with it every workflow that names it.

    A value that the host rejects is not taken, and the old one stays. To change what values are encrypted with:
    repomill credentials rotate-keys
    """
    refuse_arguments(context)
    owner = _user(user)
    from backend.apps.credentials.selectors import own_credential
    from backend.apps.credentials.services.keeping import replace_secret

    row = own_credential(user=owner, name=name)
    secret = read_secret(name=name, from_file=from_file, stdin=stdin)
    result = _result(row, secret, ask=not no_check)
    replace_secret(credential=row, secret=secret)
    _conclude(row, result, said=f"{row.name} has its new value. Revoke the old one at the host.", as_json=as_json)


credentials.command("rotate-keys")(rotate_keys)


@credentials.command("remove")
def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    user: User = None,
    as_json: AsJson = False,
) -> None:
    """Remove a credential. Workflows that name it fail from then on; at its host it stays valid until it is revoked."""
    owner = _user(user)
    from backend.apps.credentials.selectors import own_credential
    from backend.apps.credentials.services.keeping import remove_credential
    from backend.cli.credential_view import where

    row = own_credential(user=owner, name=name)
    if not yes:
        if not sys.stdin.isatty():
            raise InvalidInput("There is no terminal to ask whether to remove it.", field="--yes", expected="--yes")
        typer.confirm(f"Remove the credential {row.name} for {where(row)}?", abort=True, err=True)
    remove_credential(credential=row)
    if as_json:
        _print_json({"removed": row.name})
    else:
        typer.echo(f"Removed {row.name}. Revoke it at {where(row)} too, if nobody else uses it.")


def _result(row: Credential, secret: Secret, *, ask: bool) -> Result:
    """Ask the host about a value that is not stored yet, where that is wanted. Raises CredentialRejected."""
    from backend.cli.credential_results import Result, try_out

    return try_out(row, secret) if ask else Result()


def _conclude(row: Credential, result: Result, *, said: str, as_json: bool) -> None:
    """Keep what the host said of a value that is stored now, and tell it."""
    from backend.apps.credentials.services.check import keep_finding
    from backend.cli.credential_results import result_json, show_result

    if result.finding is not None:
        keep_finding(row, result.finding)
    if as_json:
        _print_json(result_json(row, result, projects=_visible(row.owner)[0]))
    else:
        show_result(row, result, said=said)


def _user(username: str | None) -> UserModel:
    setup_django()
    from backend.cli.acting_user import acting_user

    return acting_user(username)


def _visible(user: UserModel) -> tuple[dict[UUID, str], list[Credential]]:
    """Return the slugs of the user's projects, and the credentials that the user can name."""
    from backend.apps.credentials.selectors import visible_credentials
    from backend.apps.projects.selectors import visible_projects

    projects = dict(visible_projects(user=user).values_list("pk", "slug"))
    return projects, list(visible_credentials(user=user, project_ids=projects))


def _named(rows: list[Credential], name: str, user: UserModel) -> Credential:
    from backend.apps.credentials.selectors import own_credential

    for row in sorted(rows, key=lambda row: row.owner_id != user.pk):
        if row.name == name:
            return row
    # There is none: this says so in the words that are used everywhere.
    return own_credential(user=user, name=name)


def _print_json(value: Any) -> None:  # noqa: ANN401
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
