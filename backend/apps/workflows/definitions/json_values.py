"""Checks that a value is JSON that every database can keep."""

from __future__ import annotations

from typing import Any

from backend.errors import InvalidInput
from backend.strict_json import unfit


def check_json(value: Any, *, where: str) -> None:  # noqa: ANN401  (that it is JSON is what is found out here)
    """Raise InvalidInput with the field unless `value` is plain JSON without NUL characters or lone surrogates.

    where: the name of the whole, such as `inputs`; the error's `field` begins with it.
    """
    if wrong := unfit(value):
        field = where + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in wrong.path)
        raise InvalidInput(sentence(wrong.reason), field=field, expected=wrong.expected, hint=wrong.hint)


def sentence(reason: str) -> str:
    """Return a reason as a sentence."""
    return f"{reason[:1].upper()}{reason[1:]}."
