"""A running installation that the tests of a module share, and the databases that installations are tried on."""

import os
from collections.abc import Iterator

import pytest

from tests.integration.installation import Installation
from tests.integration.postgresql import DATABASE_URL, NewDatabase, PostgreSQL


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what has the mark `both_databases` once on each."""
    if "new_database" in metafunc.fixturenames and metafunc.definition.get_closest_marker("both_databases"):
        metafunc.parametrize("new_database", ["sqlite", "postgresql"], indirect=True, scope="module")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """The one PostgreSQL server of all tests; each makes databases of its own on it."""
    with PostgreSQL() as server:
        yield server


@pytest.fixture(scope="module")
def new_database(request: pytest.FixtureRequest) -> NewDatabase:
    """Makes a database with empty tables and gives the variables with which an installation uses it.

    SQLite, which needs none, unless the test's mark or the whole run says PostgreSQL.
    """
    kind = getattr(request, "param", "postgresql" if os.environ.get(DATABASE_URL) else "sqlite")
    if kind == "sqlite":
        return dict
    server: PostgreSQL = request.getfixturevalue("postgresql")
    return lambda: {"DATABASE_URL": server.create_migrated_database()}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase) -> Iterator[Installation]:
    """An installation whose stack runs, with a project called `demo`."""
    installation = Installation(tmp_path_factory.mktemp("rm"), **new_database())
    try:
        installation.start()
        installation.cli("projects", "create", "demo")
        yield installation
    finally:
        installation.stop()
