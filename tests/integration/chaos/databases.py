"""The databases of a stage, which can break down under those who use them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import psycopg

from tests.integration.installation import Installation
from tests.integration.postgresql import PostgreSQL

RECOVERY_PATIENCE = 30.0


class Database(Protocol):
    """A database by its URL."""

    @property
    def url(self) -> str:
        """What DATABASE_URL says; empty for the default, SQLite in the data folder."""
        ...

    def restart(self) -> None:
        """Take it down without a farewell, and wait until it is back."""
        ...


class Sqlite:
    """SQLite in the data folder. It has no process of its own to restart."""

    url = ""

    def restart(self) -> None:
        """Raise: there is nothing to restart."""
        raise NotImplementedError("SQLite has no server.")


class Server:
    """A PostgreSQL server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def restart(self) -> None:
        """Kill -9 one of its processes: it breaks every connection and transaction, and recovers from its log."""
        with psycopg.connect(self.url) as struck, psycopg.connect(self.url, autocommit=True) as witness:
            os.kill(struck.info.backend_pid, signal.SIGKILL)
            # Until the server has noticed, it still takes connections.
            Installation.wait_until(
                lambda: not _lives(witness), patience=RECOVERY_PATIENCE, what="a database that goes down"
            )
        Installation.wait_until(self._answers, patience=RECOVERY_PATIENCE, what="a database that comes back")

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:
            return False
        return True


def _lives(connection: psycopg.Connection[Any]) -> bool:
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def postgresql() -> Iterator[Server]:
    """Run a throw-away server."""
    with PostgreSQL() as server:
        yield Server(server.create_migrated_database())
