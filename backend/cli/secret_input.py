"""Reads a secret where nobody else can see it: from a hidden prompt, stdin or a file, and never from an argument."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Any

import typer

from backend.apps.credentials.secret import LARGEST_SECRET, Secret
from backend.cli.messages import visible
from backend.errors import InvalidInput

# Where a command takes no value, more words than it knows are caught here rather than repeated by the usage error.
NO_VALUES = {"allow_extra_args": True}


def refuse_arguments(context: Any) -> None:  # noqa: ANN401  (Typer vendors its context class)
    """Raise InvalidInput where more words were given than the command takes: one of them may be a secret."""
    if context.args:
        raise InvalidInput(
            "There are more words than this command takes; a credential's value is never an argument.",
            field="arguments",
            expected="the value at the prompt, with --stdin, or with --from-file FILE",
            hint="If a secret was among them, revoke it: command lines are kept by the shell and shown to others.",
        )


def read_secret(*, name: str, from_file: Path | None, stdin: bool) -> Secret:
    """Return the secret from the place that was asked for; from a prompt that shows nothing where none was.

    One line end after the value is not part of it. Raises InvalidInput, which does not repeat what was read.
    """
    if from_file is not None and stdin:
        raise InvalidInput("Say where the value comes from.", field="--stdin", expected="--stdin or --from-file")
    if from_file is not None:
        return _secret(_file(from_file), field="--from-file")
    if stdin:
        return _secret(sys.stdin.buffer.read(LARGEST_SECRET + 3), field="--stdin")
    if not sys.stdin.isatty():
        raise InvalidInput(
            "There is no terminal to ask for the value.",
            field="--stdin",
            expected="--stdin or --from-file FILE",
            hint=f"For example: pass show {name} | repomill credentials add {name} --host github --stdin",
        )
    return _secret(typer.prompt(f"Value of {name} (not shown)", hide_input=True, err=True).encode(), field="value")


def _secret(data: bytes, *, field: str) -> Secret:
    """Return what was read as a secret. Raises InvalidInput with the field that it came from."""
    try:
        return Secret(data.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8"))
    except UnicodeDecodeError:
        wrong = InvalidInput("The secret is not text in UTF-8.", field=field)
    except InvalidInput as error:
        wrong = InvalidInput(error.message, hint=error.hint, **{**error.place, "field": field})
    # Outside of the handlers: a UnicodeDecodeError holds what it could not read.
    raise wrong


def _file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077 and stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                said = f"note: others can read {path}; remove it, or run: chmod 600 {path}"
                typer.echo(visible(said), err=True)
            return file.read(LARGEST_SECRET + 3)
    except OSError as error:
        raise InvalidInput(f"The file {path} cannot be read: {error.strerror}.", field="--from-file") from error
