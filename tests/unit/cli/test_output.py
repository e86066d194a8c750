"""Where the output of the stack's processes goes."""

import io
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from honcho.printer import Message

from backend.cli.stack.output import LAST_LINES, StackPrinter

NOON = datetime(2026, 1, 2, 12, 0, 0)  # noqa: DTZ001  (honcho's times are local)


def line(data: bytes | str, name: str = "web") -> Message:
    return Message(type="line", data=data, time=NOON, name=name, colour=None)


@pytest.fixture
def output() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def printer(tmp_path: Path, output: io.StringIO) -> Iterator[StackPrinter]:
    printer = StackPrinter(log_dir=tmp_path / "log", quiet=False, output=output)
    yield printer
    printer.close()


def test_a_line_goes_to_the_terminal_and_into_its_log(
    printer: StackPrinter, output: io.StringIO, tmp_path: Path
) -> None:
    printer.write(line(b"hello\n"))
    printer.write(line("over\n", name="beat"))
    shown = [row.partition("| ") for row in output.getvalue().splitlines()]
    assert [(prefix.split(), text) for prefix, _, text in shown] == [
        (["12:00:00", "web"], "hello"),
        (["12:00:00", "beat"], "over"),
    ]
    assert (tmp_path / "log" / "web.log").read_text() == "2026-01-02 12:00:00 hello\n"
    assert (tmp_path / "log" / "beat.log").read_text() == "2026-01-02 12:00:00 over\n"


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"\x1b[2Jgone\n", "\\x1b[2Jgone"),
        (b"not \xff utf-8\n", "not \ufffd utf-8"),
        ("one\u2028line\r\n", "one\\u2028line"),
    ],
)
def test_no_process_can_steer_the_terminal(
    printer: StackPrinter, output: io.StringIO, data: bytes | str, shown: str
) -> None:
    printer.write(line(data))
    assert output.getvalue().endswith(f"| {shown}\n")
    assert output.getvalue().count("\n") == 1


def test_quiet_keeps_the_logs_and_says_what_must_be_seen(tmp_path: Path, output: io.StringIO) -> None:
    printer = StackPrinter(log_dir=tmp_path, quiet=True, output=output)
    printer.write(line(b"hello\n"))
    printer.announce("ready")
    printer.close()
    assert output.getvalue() == "ready\n"
    assert "hello" in (tmp_path / "web.log").read_text()


def test_the_last_lines_are_kept(printer: StackPrinter) -> None:
    for number in range(LAST_LINES + 5):
        printer.write(line(f"line {number}\n"))
    assert printer.last_lines("web")[0] == "line 5"
    assert len(printer.last_lines("web")) == LAST_LINES
    assert printer.last_lines("beat") == []
