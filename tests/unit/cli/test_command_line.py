"""The command line: lists without importing, and one exit for every error."""

import subprocess
import sys
from itertools import pairwise

import pytest

from backend.cli import app as command_line
from backend.cli.app import COMMANDS, load_command, main
from backend.errors import NotFound


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    for name, _, _ in COMMANDS:
        assert f" {name} " in out


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys)
    assert code == 2
    assert "Usage: repomill" in out + err


def test_help_imports_neither_django_nor_celery() -> None:
    script = (
        "import sys\nfrom backend.cli.app import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print('imported:', [name for name in ('django', 'celery', 'honcho') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.endswith("imported: []\n")
    assert done.stderr == ""


@pytest.mark.parametrize("name", [name for name, _, _ in COMMANDS])
def test_every_command_can_be_loaded_and_says_what_it_does(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert load_command(name).help
    code, out, _ = run(capsys, name, "--help")
    assert code == 0
    assert f"Usage: repomill {name}" in out


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("name", [name for name, _, _ in COMMANDS])
def test_the_words_of_a_help_fill_its_lines(
    name: str, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    group = load_command(name)
    for words in [(name,), *((name, each) for each in getattr(group, "commands", {}))]:
        _, out, _ = run(capsys, *words, "--help")
        lines = [line.strip() for line in out.partition("╭")[0].splitlines()]
        for line, following in pairwise(lines):
            # The margins are one wide. A line ends where the next one's first word has no room, or a paragraph ends.
            assert not line or not following or len(line) + 1 + len(following.split()[0]) > columns - 2, (words, line)


def test_the_version_is_the_distributions(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_line, "version", lambda name: f"1.2.3 of {name}")
    assert run(capsys, "--version") == (0, "repomill 1.2.3 of repomill\n", "")


def test_an_unknown_command_is_a_usage_error_with_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "docter")
    assert code == 2
    assert "doctor" in err


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """A command `doctor` that raises what is put into the list."""
    raised: list[Exception] = []

    def doctor() -> None:
        """Fail."""
        raise raised[0]

    monkeypatch.delenv("REPOMILL_DEBUG", raising=False)
    monkeypatch.setattr("backend.cli.commands.doctor.doctor", doctor)
    return raised


def test_an_error_becomes_a_message_and_an_exit_code(
    failing: list[Exception], capsys: pytest.CaptureFixture[str]
) -> None:
    failing.append(NotFound("There is no run abc.", hint="See repomill executions."))
    code, out, err = run(capsys, "doctor")
    assert (code, out) == (4, "")
    assert err == "error: There is no run abc. [not_found]\n  hint: See repomill executions.\n"


def test_a_fault_is_one_line_and_70(failing: list[Exception], capsys: pytest.CaptureFixture[str]) -> None:
    failing.append(ValueError("odd"))
    code, _, err = run(capsys, "doctor")
    assert code == 70
    assert err.startswith("error: ValueError: odd [internal_error]\n  hint: ")
    assert "Traceback" not in err


def test_a_fault_keeps_its_traceback_when_debugging(failing: list[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPOMILL_DEBUG", "1")
    failing.append(ValueError("odd"))
    with pytest.raises(ValueError, match="odd"):
        main(["doctor"])


@pytest.mark.parametrize("words", [("show", "\udcff"), ("projects", "create", "name\udce9"), ("run", "-i", "a=\ud800")])
def test_a_word_that_is_not_utf_8_is_invalid_input(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, *words)
    assert (code, out) == (3, "")
    assert err.startswith("error: A word of the command line is not UTF-8. [invalid_input]\n  where: field word ")


def test_words_in_bytes_from_a_shell() -> None:
    done = subprocess.run([sys.executable, "-m", "backend.cli", "show", b"\xff"], capture_output=True, check=False)
    assert done.returncode == 3
    assert done.stderr.startswith(b"error: A word of the command line is not UTF-8.")
