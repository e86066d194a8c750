"""Takes secrets that are known out of what is about to be stored or shown: the second layer, behind not saying them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from backend.apps.credentials.secret import HIDDEN, Secret
from backend.errors import RepomillError

SHORTEST = 6
"""Characters of what is looked for: a password such as `a` stands in every word."""


def without(value: Any, secrets: Collection[Secret]) -> Any:  # noqa: ANN401  (JSON)
    """Return a JSON value in which every spelling of the secrets is replaced by a mark."""
    forms = sorted({form for secret in secrets for form in secret.forms() if len(form) >= SHORTEST}, key=len)
    return _without(value, forms[::-1]) if forms else value


def clean(error: RepomillError, secrets: Collection[Secret]) -> None:
    """Take the secrets out of an error's words and its place."""
    error.message = without(error.message, secrets)
    error.hint = without(error.hint, secrets)
    error.place = without(error.place, secrets)
    error.args = (error.message,)


def _without(value: Any, forms: list[str]) -> Any:  # noqa: ANN401  (JSON)
    if isinstance(value, str):
        for form in forms:
            value = value.replace(form, HIDDEN)
        return value
    if isinstance(value, dict):
        return {_without(name, forms): _without(part, forms) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without(part, forms) for part in value]
    return value
