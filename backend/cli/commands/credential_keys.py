"""`repomill credentials rotate-keys`: encrypts everything anew with the newest key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from backend.apps.credentials.errors import CredentialUnreadable
from backend.cli.django_setup import setup_django

if TYPE_CHECKING:
    from backend.apps.credentials.services.rotation import Progress


def rotate_keys(
    new_key: Annotated[bool, typer.Option("--new-key", help="First put a new key in front of the others.")] = False,
    drop_old: Annotated[
        bool, typer.Option("--drop-old", help="At the end take the keys away that nothing needs any more.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Encrypt every stored secret anew with the newest key. Values and names stay what they are.

    It may be interrupted and called again. Backups of the database from before need the old keys: keep a copy of them
    when you use --drop-old. To give one credential a new value: repomill credentials rotate NAME
    """
    setup_django()
    from backend.apps.credentials.services import keyring
    from backend.apps.credentials.services.rotation import drop_unused_keys

    if new_key:
        keyring.add_key()
    progress = _reencrypted(quiet=as_json)
    # What could not be opened names its key, so that one is kept.
    dropped = drop_unused_keys() if drop_old else 0
    done = progress.done - len(progress.unreadable)
    if as_json:
        shown = {"encrypted": done, "unreadable": list(progress.unreadable), "keys_dropped": dropped}
        typer.echo(json.dumps(shown, indent=2))
    else:
        typer.echo(f"{done} secrets encrypted anew." + (f" {dropped} old keys dropped." if drop_old else ""))
    if progress.unreadable:
        raise CredentialUnreadable(
            f"{len(progress.unreadable)} secrets could not be opened and are as they were:"
            f" {', '.join(progress.unreadable[:10])}.",
            hint="Put the missing keys back into the file of keys, or give each a new value:"
            " repomill credentials rotate NAME",
        )


def _reencrypted(*, quiet: bool) -> Progress:
    from rich.console import Console
    from rich.progress import Progress as Bar

    from backend.apps.credentials.services.rotation import reencrypt

    with Bar(console=Console(stderr=True), disable=quiet, transient=True) as bar:
        task = bar.add_task("Encrypting anew", total=None)
        for progress in reencrypt():
            bar.update(task, completed=progress.done, total=progress.total)
    return progress
