"""How an error looks at a terminal."""

import io

import pytest
from django.db import InterfaceError, OperationalError

from backend.cli.exit_codes import exit_code_for
from backend.cli.messages import as_told, error_lines, show_error, visible
from backend.errors import ConfigurationError, InvalidInput


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ✓ ok", "plain ✓ ok"),
        ("tab\tstays", "tab\tstays"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("line\u2028separator\r", "line\\u2028separator\\r"),
        ("\u202eright to left", "\\u202eright to left"),
        ("csi \x9b2J", "csi \\x9b2J"),
    ],
)
def test_nothing_can_steer_the_terminal(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (InvalidInput("No."), ["error: No. [invalid_input]"]),
        (
            InvalidInput("A name is missing.", line=3, field="name", hint="Add one."),
            ["error: A name is missing. [invalid_input]", "  where: line 3, field name", "  hint: Add one."],
        ),
        # What the message names already is not said a second time.
        (
            ConfigurationError("BACKEND_URL is senseless.", field="BACKEND_URL"),
            ["error: BACKEND_URL is senseless. [configuration_error]"],
        ),
        (InvalidInput("two\nlines \x1b]0;x\x07"), ["error: two lines \\x1b]0;x\\x07 [invalid_input]"]),
    ],
)
def test_error_lines(error: InvalidInput, lines: list[str]) -> None:
    assert error_lines(error) == lines


def test_the_traceback_is_shown_on_request_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def shown() -> str:
        stream = io.StringIO()
        try:
            raise InvalidInput("No.")
        except InvalidInput as error:
            show_error(error, stream=stream)
        return stream.getvalue()

    monkeypatch.delenv("REPOMILL_DEBUG", raising=False)
    assert shown() == "error: No. [invalid_input]\n"
    monkeypatch.setenv("REPOMILL_DEBUG", "1")
    assert "Traceback" in shown()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("no such table: workflows_workflowexecution", "configuration_error"),
        ('relation "workflows_workflowexecution" does not exist\nLINE 1: SELECT', "configuration_error"),
        ("division by zero", "internal_error"),
    ],
)
def test_an_unexpected_error_says_what_to_do_where_that_is_known(words: str, code: str) -> None:
    told = as_told(RuntimeError(words))
    assert told.code == code
    assert told.hint


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (OperationalError("connection failed: Connection refused\n\tIs the server running?"), "temporary_failure", 6),
        (InterfaceError("connection already closed"), "temporary_failure", 6),
        # SQLite's word for a table that is missing has the same type.
        (OperationalError("no such table: projects_project"), "configuration_error", 7),
    ],
)
def test_a_database_that_does_not_answer_is_no_fault_of_repomill(error: Exception, code: str, status: int) -> None:
    told = as_told(error)
    assert (told.code, exit_code_for(told)) == (code, status)
    assert "fault of Repomill" not in (told.hint or "")
    assert "\n" not in told.message
    if code == "temporary_failure":
        assert str(error).splitlines()[0] in told.message
        assert "repomill doctor" in (told.hint or "")
