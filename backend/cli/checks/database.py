"""Checks of the database. Django must be set up."""

from __future__ import annotations

import sqlite3

from backend.cli.checks.base import NOT_RUNNING, Check, ok, problem, unavailable
from backend.cli.stack.migrate import pending_migrations

SQLITE_FLOOR = (3, 35)
"""The first release with RETURNING, by which tasks are claimed."""


def check_database() -> Check:
    """Check that the database answers and is up to date."""
    from django.db import Error, connection

    name = "database"
    if connection.vendor == "sqlite" and not _sqlite_exists():
        return unavailable(name, "not made yet", NOT_RUNNING)
    try:
        pending = pending_migrations()
    except Error as error:
        first = (str(error).strip().splitlines() or ["no reason given"])[0]
        return unavailable(name, f"does not answer: {first}", "Check DATABASE_URL, and that the server runs.")
    finally:
        connection.close()
    if pending:
        return problem(
            name, f"{len(pending)} migrations are missing, first {pending[0]}", "Run: python -m backend.manage migrate"
        )
    if connection.vendor == "sqlite":
        return judge_sqlite(sqlite3.sqlite_version_info)
    return ok(name, f"{connection.vendor}, up to date")


def judge_sqlite(version: tuple[int, ...]) -> Check:
    """Judge the version of the SQLite that this Python has."""
    shown = ".".join(map(str, version))
    if version < SQLITE_FLOOR:
        return problem(
            "database", f"SQLite {shown} is too old", "Use a Python with SQLite 3.35 or newer, or PostgreSQL."
        )
    return ok("database", "sqlite, up to date")


def _sqlite_exists() -> bool:
    from pathlib import Path

    from django.db import connection

    name = str(connection.settings_dict["NAME"])
    # A database in memory has no file to look for.
    return "memory" in name or Path(name).exists()
