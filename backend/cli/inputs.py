"""Reads `--input name=value` into what a workflow's input schema asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from backend.apps.workflows.definitions.secret_inputs import is_secret_input
from backend.errors import InvalidInput
from backend.strict_json import NotJSON, read_json

LARGEST_FILE = 64 * 1024 * 1024


def read_inputs(pairs: Sequence[str], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs named by `pairs`.

    pairs: `name=value`, or `name=@file` for the file's content. Where the schema says that the input is a text, the
    value is taken as it stands; otherwise it is read as JSON. A secret comes from a file: command lines are kept and
    shown. Raises InvalidInput with the input's name.
    """
    inputs: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise InvalidInput(f"{pair!r} is not an input.", field="--input", expected="name=value, or name=@file")
        if name in inputs:
            raise InvalidInput(f"The input {name!r} is given twice.", field=f"inputs.{name}")
        inputs[name] = _secret(name, text) if is_secret_input(schema, name) else _value(name, text, schema)
    return inputs


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file. Raises InvalidInput with line and column."""
    try:
        found = read_json(_file("arguments", path))
    except NotJSON as error:
        raise InvalidInput(
            f"The file {path} is not JSON: {error.reason}.", field="--arguments", line=error.line, column=error.column
        ) from error
    if not isinstance(found, dict):
        raise InvalidInput(f"The file {path} holds no JSON object.", field="--arguments", expected="an object")
    return found


def _secret(name: str, text: str) -> str:
    if not text.startswith("@"):
        raise InvalidInput(
            f"{name!r} is a secret, and secrets are not given on the command line, which is kept and shown.",
            field=f"inputs.{name}",
            expected=f"{name}=@FILE, or {name}=@/dev/stdin",
        )
    return _file(name, Path(text[1:])).removesuffix("\n").removesuffix("\r")


def _value(name: str, text: str, schema: Mapping[str, Any]) -> Any:  # noqa: ANN401  (JSON)
    if text.startswith("@"):
        text = _file(name, Path(text[1:]))
    kind = schema.get("properties", {}).get(name, {}).get("type", "string")
    if kind == "string":
        return text
    try:
        return read_json(text)
    except NotJSON as error:
        if isinstance(kind, list) and "string" in kind:
            return text
        raise InvalidInput(
            f"The input {name!r} is not JSON: {error.reason}.",
            field=f"inputs.{name}",
            line=error.line,
            column=error.column,
            expected=f"{kind}, as JSON",
        ) from error


def _file(name: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            # One byte more than may be: what has no end, like a device, is not read to its end.
            data = file.read(LARGEST_FILE + 1)
        if len(data) > LARGEST_FILE:
            raise InvalidInput(
                f"The file {path} is larger than {LARGEST_FILE // 1024 // 1024} MiB.", field=f"inputs.{name}"
            )
        return data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InvalidInput(f"The file {path} cannot be read: {reason}.", field=f"inputs.{name}") from error
