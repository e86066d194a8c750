"""Every message is delivered three times, to two workers at once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.integration.chaos.databases import Database, Sqlite, postgresql
from tests.integration.chaos.judged import Ring
from tests.integration.chaos.session import Session
from tests.integration.chaos.stage import stage

pytestmark = pytest.mark.integration

RUNS = 8
RECEIVED = re.compile(r"Task ([a-z_.]+)\[([0-9a-f-]{36})\] received")


@contextmanager
def sqlite() -> Iterator[Database]:
    yield Sqlite()


@pytest.mark.parametrize("database", [postgresql, sqlite])
def test_everything_is_done_once(database: Callable[[], AbstractContextManager[Database]], tmp_path: Path):
    with (
        database() as used,
        stage(tmp_path / "d", used, options=("--three-times",)) as made,
        Ring(made) as ring,
    ):
        session = Session(made, "thrice", ring.slow, ring.slow_file)
        for _ in range(RUNS):
            session.feed()
        runs = session.finish()
        wrong = ring.wrong(runs, scratch=tmp_path)
        assert wrong == []
        assert [run["name"] for run in runs if any(task["attempt"] != 1 for task in run["tasks"])] == []
        logs = "".join(path.read_text() for path in (made.data_dir / "log").glob("worker-*.log"))
        received = Counter(found[2] for found in RECEIVED.finditer(logs))
        assert {task["id"] for run in runs for task in run["tasks"] if received[task["id"]] < 3} == set()
