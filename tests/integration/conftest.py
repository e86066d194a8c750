"""A running installation that the tests of a module share."""

from collections.abc import Iterator

import pytest

from tests.integration.installation import Installation


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation whose stack runs, with a project called `demo`."""
    installation = Installation(tmp_path_factory.mktemp("rm"))
    installation.start()
    try:
        installation.cli("projects", "create", "demo")
        yield installation
    finally:
        installation.stop()
