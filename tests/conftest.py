"""What all tests share: a run of those alone that use the database, quickly emptied tables, and no skips on CI.

On CI a test that is skipped has failed, since nobody reads the list of skips there.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from django.test import TransactionTestCase

from tests.emptying import empty_tables

DATABASE_FIXTURES = {"db", "transactional_db", "live_server", "django_db_setup"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --database-only, for a second run on another database."""
    parser.addoption(
        "--database-only", action="store_true", help="run only the tests that use the database, as their marks say"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what uses no database, where only what uses it is wanted."""
    if not config.getoption("--database-only"):
        return
    left_out = [item for item in items if not _uses_the_database(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if _uses_the_database(item)]


def _uses_the_database(item: pytest.Item) -> bool:
    fixtures: list[str] = getattr(item, "fixturenames", [])
    return item.get_closest_marker("django_db") is not None or not DATABASE_FIXTURES.isdisjoint(fixtures)


@pytest.fixture(scope="session", autouse=True)
def quickly_emptied_tables() -> Iterator[None]:
    """Let tests whose transactions are real leave empty tables without Django's long way there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty_tables)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure where CI=true."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {_reason(report.longrepr)}"
    return report


def _reason(skipped: Any) -> str:
    return str(skipped[2]) if isinstance(skipped, tuple) else str(skipped)
