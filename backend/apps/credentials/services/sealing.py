"""Takes literal secrets out of a step's config, and puts them back as `Secret` where the work is done.

By name: the values of SECRET_KEYS, however deep. What a step generates (GENERATED, at the top) is left alone: there a
key is a file's name, and what stands in it is meant to be published.

What keeps and opens single secrets is `backend.apps.credentials.services.sealed_secrets`; it is offered here too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.sealed_secrets import forget, is_reference, seal, unseal
from backend.errors import InvalidInput

__all__ = ["forget", "is_reference", "open_tokens", "seal", "seal_tokens", "unseal"]

SECRET_KEYS: Final = frozenset({"github_token", "gitlab_token", "token", "password"})
"""Names whose values are secrets; upper case and hyphens make no difference."""
GENERATED: Final = frozenset({"structure", "files", "templates", "gitignore", "readme", "content"})
LONG_ENOUGH: Final = 16
"""Characters of a secret from which on it can stand elsewhere in a config by no accident."""

_EXPRESSION: Final = re.compile(r"\s*\$\{\{(?:(?!\$\{\{).)*\}\}\s*", re.DOTALL)
Place = tuple[str | int, ...]


def seal_tokens(config: dict[str, Any], *, execution_id: UUID) -> dict[str, Any]:
    """Return the config with references in place of its literal secrets; the given one is left as it is.

    An expression, a reference, null, an empty text and true or false stay. Everything is checked before anything is
    kept. Raises InvalidInput, which repeats no secret, for a number, for a text that is an expression in part only, and
    where a secret stands elsewhere in the config too.
    """
    found: list[tuple[Place, Secret]] = []

    def collected(value: Any, place: Place) -> Any:  # noqa: ANN401  (JSON)
        secret = _literal(value, place)
        if secret is not None:
            found.append((place, secret))
            return None
        return value

    without = _changed(config, collected)
    _require_nowhere_else(without, found)
    with transaction.atomic():
        references = {place: seal(secret, execution_id=execution_id) for place, secret in found}
    sealed: dict[str, Any] = _changed(config, lambda value, place: references.get(place, value))
    return sealed


def open_tokens(config: dict[str, Any], *, execution_id: UUID) -> dict[str, Any]:
    """Return the config with a `Secret` in place of each reference that `seal_tokens` put there.

    Raises NotFound for a reference of another execution, CredentialUnreadable, CredentialKeyMissing.
    """

    def opened(value: Any, place: Place) -> Any:  # noqa: ANN401, ARG001  (JSON)
        return unseal(value, execution_id=execution_id) if is_reference(value) else value

    result: dict[str, Any] = _changed(config, opened)
    return result


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
    try:
        return Secret(value)
    except InvalidInput as error:
        wrong = InvalidInput(error.message, hint=error.hint, **{**error.place, "field": field})
    raise wrong


def _require_nowhere_else(config: Any, found: list[tuple[Place, Secret]]) -> None:  # noqa: ANN401  (JSON)
    wanted = [(place, secret) for place, secret in found if len(secret.reveal()) >= LONG_ENOUGH]
    if not wanted:
        return
    for text, at in _texts(config):
        for place, secret in wanted:
            if secret.reveal() in text:
                raise InvalidInput(
                    f"The secret in {'.'.join(map(str, place))!r} stands elsewhere in the config too.",
                    # A key may be what holds the secret.
                    field=".".join(str(part) for part in at if secret.reveal() not in str(part)),
                    hint="Take it out there. A secret in a URL, a header or a file would be stored and shown.",
                )


def _changed(value: Any, change: Callable[[Any, Place], Any], place: Place = (), *, secret: bool = False) -> Any:  # noqa: ANN401  (JSON)
    """Return a copy of a JSON value in which every single value below a secret's name is changed."""
    if isinstance(value, dict):
        return {
            key: inner
            if not place and key in GENERATED
            else _changed(inner, change, (*place, key), secret=secret or _is_secret_key(key))
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_changed(inner, change, (*place, number), secret=secret) for number, inner in enumerate(value)]
    return change(value, place) if secret else value


def _is_secret_key(key: str) -> bool:
    return key.lower().replace("-", "_") in SECRET_KEYS


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
