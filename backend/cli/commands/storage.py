"""`repomill storage`: looks after the storage through which the hosts of an installation exchange what they make."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from backend.cli import exit_codes
from backend.cli.django_setup import setup_django

storage = typer.Typer(no_args_is_help=True, help="Look after the storage that several hosts share.")


@storage.callback()
def of_several_hosts() -> None:
    """Look after the storage that several hosts share."""


@storage.command("put")
def put(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Read everything that is kept there, and put there what is missing or damaged and this host has.

    Run it once on every host after a storage was set, and on the host that an error names.
    """
    setup_django()
    from backend.apps.projects.services.storage_care import put_missing

    care = put_missing()
    if as_json:
        typer.echo(json.dumps(asdict(care)))
    else:
        typer.echo(f"{care.whole} commits are there and whole, {care.put} were put there now.")
        for lost in care.lost:
            typer.echo(f"Neither there nor here: {lost}", err=True)
    if care.lost:
        raise typer.Exit(exit_codes.FAILED)
