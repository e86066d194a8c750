"""One record is one line, whoever wrote what it says."""

from __future__ import annotations

import io
import logging
import logging.config
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.test import Client

from backend.apps.projects.errors import GitFailed
from backend.config.log_lines import LONGEST_MESSAGE, MARK
from tests import corpus

pytestmark = pytest.mark.django_db


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is logged, as the installation's settings format it."""
    stream = io.StringIO()
    configured: Any = logging.config.DictConfigurator(settings.LOGGING)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(configured.configure_formatter(settings.LOGGING["formatters"]["line"]))
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    monkeypatch.setattr(logging.getLogger("django"), "handlers", [])
    return stream


def _path(value: str) -> None:
    Client().get(f"/api/v1/projects/{quote(value)}/")


def _words(value: str) -> None:
    # A project's name, a structure's key, a header: whatever somebody logs of it.
    logging.getLogger("backend").warning("The project %s was refused", value)


def _remote(value: str) -> None:
    logging.getLogger("backend").warning("git said: %s", GitFailed("It failed.", words=f"remote: {value}").words)


def _exception(value: str) -> None:
    try:
        raise ValueError(value)
    except ValueError:
        logging.getLogger("backend").exception("It failed")


@pytest.mark.parametrize("sink", [_path, _words, _remote, _exception])
def test_every_row_is_one_record_whose_controls_are_written_out(
    written: io.StringIO, sink: Callable[[str], None]
) -> None:
    rows = corpus.rows("own/log_injection")
    assert len(rows) >= 13
    for row in rows:
        written.seek(0)
        written.truncate()
        value = "a" * 100_000 if row["value"].startswith("<gen:") else row["value"]
        sink(value)
        lines = written.getvalue().removesuffix("\n").split("\n")
        records = [line for line in lines if not line.startswith(MARK)]
        assert len(records) == 1, row["id"]
        assert all(line.isprintable() for line in lines), row["id"]
        assert all(len(line) < LONGEST_MESSAGE + 200 for line in lines), row["id"]
        assert (len(lines) > 1) == (sink is _exception)


def test_ordinary_words_stay_as_they_are(written: io.StringIO) -> None:
    logging.getLogger("backend").warning("Żółć 😀 %s%%", "é")
    assert written.getvalue().endswith("WARNING backend Żółć 😀 é%\n")
