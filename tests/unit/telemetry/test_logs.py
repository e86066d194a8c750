"""A log line says what it is about, stays one line, and shows no secret."""

import json
import logging
import threading
from typing import Any

import pytest

from backend.config.log_lines import MARK
from backend.telemetry.about import about, known
from backend.telemetry.logs import Json, Line, hide
from tests import corpus

LINE = Line("%(asctime)s %(levelname)s %(name)s %(message)s")


def record(message: str, *values: object, error: BaseException | None = None, **extra: Any) -> logging.LogRecord:
    exc_info = None
    if error is not None:
        try:
            raise error
        except BaseException as raised:  # noqa: BLE001
            exc_info = (type(raised), raised, raised.__traceback__)
    made = logging.LogRecord("backend.some", logging.WARNING, "file.py", 1, message, values, exc_info)
    for name, value in extra.items():
        setattr(made, name, value)
    return made


def test_it_says_what_it_is_about() -> None:
    with about(task="t-1") as facts:
        facts |= {"run": "r-1", "step": "publish"}
        line = LINE.format(record("done in %d s", 3))
        entry = json.loads(Json().format(record("done in %d s", 3)))
        with about(attempt=2):
            assert known()["attempt"] == "2"
        assert "attempt" not in known()
    assert line.endswith(" WARNING backend.some done in 3 s run=r-1 step=publish task=t-1")
    assert entry.items() >= {"message": "done in 3 s", "level": "warning", "run": "r-1", "step": "publish"}.items()
    assert known() == {}


def test_threads_do_not_tell_of_each_other() -> None:
    seen: list[dict[str, str]] = []
    with about(task="t-1"):
        thread = threading.Thread(target=lambda: seen.append(known()))
        thread.start()
        thread.join()
    assert seen == [{}]


def test_what_celery_says_of_a_task_names_it() -> None:
    assert (
        json.loads(Json().format(record("Task received", data={"id": "t-9", "name": "agents.call"})))["task"] == "t-9"
    )


@pytest.mark.parametrize("formatter", [LINE, Json()], ids=["line", "json"])
def test_nothing_forges_a_line(formatter: logging.Formatter) -> None:
    rows = corpus.rows("own/log_injection")
    assert rows
    for row in rows:
        require_one_line(row["value"], formatter)


@pytest.mark.parametrize("formatter", [LINE, Json()], ids=["line", "json"])
@pytest.mark.parametrize("value", ["a\nb", "a\r\nERROR b", "a\x1b[2Jb", "a\u2028b", "a\u202eb", "a\x00b"])
def test_compact_forgeries_of_our_own(value: str, formatter: logging.Formatter) -> None:
    require_one_line(value, formatter)


def require_one_line(value: str, formatter: logging.Formatter) -> None:
    with about(step=value):
        text = formatter.format(record("it says %s", value))
        logged_error = formatter.format(record("failed", error=RuntimeError(value)))
    assert "\n" not in text
    assert text.isprintable()
    for line in logged_error.split("\n")[1:]:
        assert line.startswith(MARK)
    assert not [char for line in logged_error.split("\n") for char in line if not char.isprintable()]
    if isinstance(formatter, Json):
        assert json.loads(text)["message"].startswith("it says ")


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer SECRETSECRETSECRET",
        "GET https://ada:SECRETSECRETSECRET@example.org/x failed",
        "redis://:SECRETSECRETSECRET@redis:6379/0",
        "password='SECRETSECRETSECRET'",
        '{"api_key": "SECRETSECRETSECRET"}',
        "REPOMILL_TOKEN=SECRETSECRETSECRET",
        "remote said ghp_SECRETSECRETSECRETabcd",
        "glpat-SECRETSECRETSECRET_1",
        "got eyJSECRETSECRETSECRET.eyJzdWIi.c2ln",
    ],
)
def test_what_looks_like_a_secret_is_not_shown(text: str) -> None:
    assert "SECRETSECRETSECRET" not in hide(text)
    assert "***" in hide(text)
    for formatter in (LINE, Json()):
        assert "SECRETSECRETSECRET" not in formatter.format(record("%s", text, error=ValueError(text)))


@pytest.mark.parametrize(
    "piece",
    ["a", "a-", "-", "eyJ-", "eyJaaaaaaaa.", "token-", "token ", "token=", "://", "://a:", "ghp_", " ", "token:\t"],
)
def test_what_others_write_at_length_is_searched_in_one_pass(piece: str) -> None:
    # With any pattern that starts again within what it has just looked through this would take hours.
    assert hide(piece * (1_000_000 // len(piece)))


def test_what_looks_like_a_secret_is_found_at_the_end_of_a_long_word() -> None:
    word = "a-" * 100_000
    assert hide(f"{word}token=SECRETSECRETSECRET") == f"{word}token=***"
    assert hide(f"{word}eyJSECRETSECRETSECRET.eyJzdWIi.c2ln") == f"{word}***"


@pytest.mark.parametrize("text", ["task 7 waits for a token", "the password is wrong", "https://example.org/a@b", "ok"])
def test_ordinary_words_stay(text: str) -> None:
    assert hide(text) == text


def test_a_message_has_an_end() -> None:
    for formatter in (LINE, Json()):
        assert len(formatter.format(record("x" * 1_000_000))) < 11_000
