"""`repomill migrate`: the database's first step of an installation, and of each update."""

from __future__ import annotations

import os

import typer


def migrate() -> None:
    """Bring the database up to date, and make the user `operator` when there is none.

    `repomill up` does this by itself; an installation that runs its processes another way calls it before they start.
    Nothing is changed where settings or keys would let others in, or tasks run twice.
    """
    from backend.cli.checks.at_start import check_at_start
    from backend.cli.django_setup import setup_django
    from backend.cli.stack.migrate import prepare_database
    from backend.cli.stack.preflight import prepare_data_folder
    from backend.cli.stack.settings import OPERATOR, OPERATOR_PASSWORD
    from backend.config.environment import load

    os.umask(0o077)
    environment = load()
    prepare_data_folder(environment.data_dir)
    setup_django()
    check_at_start(environment)
    applied = prepare_database()
    typer.echo(f"{applied} migrations applied." if applied else "The database is up to date.")
    typer.echo(f"Sign in as {OPERATOR}; the password is in {environment.secrets_dir / OPERATOR_PASSWORD}")
