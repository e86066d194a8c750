"""Finds literal secrets in JSON by the names they stand under. Pure: it keeps and opens nothing.

By name: the values of SECRET_KEYS, however deep. What a step generates (GENERATED, at the top) is left alone: there a
key is a file's name, and what stands in it is meant to be published.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.sealed_secrets import is_reference
from backend.errors import InvalidInput

SECRET_KEYS: Final = frozenset({"github_token", "gitlab_token", "token", "password"})
"""Names whose values are secrets; upper case and hyphens make no difference."""
GENERATED: Final = frozenset({"structure", "files", "templates", "gitignore", "readme", "content", "context"})
LONG_ENOUGH: Final = 16
"""Characters of a secret from which on it can stand elsewhere in a config by no accident."""

_EXPRESSION: Final = re.compile(r"\s*\$\{\{(?:(?!\$\{\{).)*\}\}\s*", re.DOTALL)
Place = tuple[str | int, ...]


def is_secret_key(key: object) -> bool:
    """Return whether what stands under this name is a secret."""
    return isinstance(key, str) and key.lower().replace("-", "_") in SECRET_KEYS


def holds_secrets(place: Place) -> bool:
    """Return whether a secret is opened at this place of a step's config."""
    return place[:1] not in {(name,) for name in GENERATED} and any(map(is_secret_key, place))


def literals(config: Mapping[str, Any]) -> dict[Place, Secret]:
    """Return the literal secrets of a config by their places.

    An expression, a reference, null, an empty text and true or false are none. Raises InvalidInput, which repeats no
    secret, for a number and for a text that is an expression in part only.
    """
    found: dict[Place, Secret] = {}

    def collected(value: Any, place: Place) -> Any:  # noqa: ANN401  (JSON)
        secret = _literal(value, place)
        if secret is not None:
            found[place] = secret
        return value

    changed(config, collected)
    return found


def changed(config: Mapping[str, Any], change: Callable[[Any, Place], Any]) -> dict[str, Any]:
    """Return a copy of a config in which every single value below a secret's name is changed."""
    result: dict[str, Any] = _changed(config, change, (), secret=False)
    return result


def replaced(config: Mapping[str, Any], values: Mapping[Place, Any]) -> dict[str, Any]:
    """Return a copy of a config with other values at the places of secrets."""
    return changed(config, lambda value, place: values.get(place, value))


def require_nowhere_else(without: Any, found: Mapping[Place, Secret]) -> None:  # noqa: ANN401  (JSON)
    """Raise InvalidInput, which repeats no secret, where one stands elsewhere too.

    without: the whole in which the secrets are replaced. Short ones may be words that stand elsewhere by accident.
    """
    wanted = [(place, secret) for place, secret in found.items() if len(secret.reveal()) >= LONG_ENOUGH]
    if not wanted:
        return
    for text, at in _texts(without):
        for place, secret in wanted:
            if secret.reveal() in text:
                raise InvalidInput(
                    f"The secret in {'.'.join(map(str, place))!r} stands elsewhere too.",
                    # A key may be what holds the secret.
                    field=".".join(str(part) for part in at if secret.reveal() not in str(part)),
                    hint="Take it out there. A secret in a URL, a header or a file would be stored and shown.",
                )


def _literal(value: Any, place: Place) -> Secret | None:  # noqa: ANN401  (JSON)
    field = ".".join(map(str, place))
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise InvalidInput("A secret is written as a text.", field=field, expected="a text, in quotes")
    if not isinstance(value, str) or not value or is_reference(value) or _EXPRESSION.fullmatch(value):
        return None
    if "${{" in value:
        raise InvalidInput(
            "A secret is either a text or one whole expression.",
            field=field,
            expected="for example ${{ inputs.token }}, or better the name of a credential",
        )
    return as_secret(value, field=field)


def as_secret(value: str, *, field: str) -> Secret:
    """Return a text as a secret. Raises InvalidInput with the field, which does not repeat it."""
    try:
        return Secret(value)
    except InvalidInput as error:
        wrong = InvalidInput(error.message, hint=error.hint, **{**error.place, "field": field})
    raise wrong


def _changed(value: Any, change: Callable[[Any, Place], Any], place: Place, *, secret: bool) -> Any:  # noqa: ANN401
    if isinstance(value, Mapping):
        return {
            key: inner
            if not place and key in GENERATED
            else _changed(inner, change, (*place, key), secret=secret or is_secret_key(key))
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_changed(inner, change, (*place, number), secret=secret) for number, inner in enumerate(value)]
    return change(value, place) if secret else value


def _texts(value: Any, place: Place = ()) -> Iterator[tuple[str, Place]]:  # noqa: ANN401  (JSON)
    """Yield every text of a JSON value and where it is: its keys, with their own place, and its values."""
    if isinstance(value, str):
        yield value, place
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key, (*place, key)
            yield from _texts(inner, (*place, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _texts(inner, (*place, number))
