"""JSON Schema's checks as somebody else's schema is to be applied: within bounds, and with nothing fetched.

A schema of few lines can ask for any amount of work: references that double at each level, a pattern that tries every
way to read a text, a list of which each item is compared with each other one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs
from jsonschema import Draft202012Validator, FormatChecker, validators
from jsonschema.exceptions import ValidationError
from jsonschema_specifications import REGISTRY

from backend.apps.workflows.definitions.patterns import Unsearchable, searches

MOST_EFFORT = 1_000_000
"""Keywords that one check applies; one with many parts, such as an `enum`, counts for several."""
MOST_SECONDS = 5.0
"""What one check may spend on the search for patterns. Nobody else is held up by it."""

Keyword = Callable[[Any, Any, Any, Any], Iterable[ValidationError] | None]


class TooMuchEffort(Exception):
    """The check would take too long."""


class _Effort(FormatChecker):
    """What one check may still do. It is the checker of formats because a validator hands that on to all its parts."""

    def __init__(self, *, formats: bool) -> None:
        super().__init__(())
        if formats:
            self.checkers = Draft202012Validator.FORMAT_CHECKER.checkers
        self._keywords = MOST_EFFORT
        self._seconds = MOST_SECONDS

    def spend(self, keywords: int) -> None:
        """Count what is about to be done. Raises TooMuchEffort."""
        self._keywords -= keywords
        if self._keywords < 0:
            raise TooMuchEffort

    def finds(self, pattern: str, text: str) -> bool:
        """Return whether a pattern is found in a text. Raises TooMuchEffort."""
        began = time.monotonic()
        try:
            return searches(pattern, text, seconds=self._seconds)
        except Unsearchable:
            raise TooMuchEffort from None
        finally:
            self._seconds = max(0.0, self._seconds - (time.monotonic() - began))


def checker(schema: Mapping[str, Any], *, formats: bool) -> Any:  # noqa: ANN401  (jsonschema's classes are not typed)
    """Return a validator for one check of a value. It raises TooMuchEffort where there would be no end of it."""
    return _Checker(schema, format_checker=_Effort(formats=formats), registry=REGISTRY)


def _counted(keyword: Keyword) -> Keyword:
    def apply(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterable[ValidationError] | None:  # noqa: ANN401
        validator.format_checker.spend(1 + (len(wanted) // 10 if isinstance(wanted, dict | list) else 0))
        return keyword(validator, wanted, value, schema)

    return apply


def _pattern(validator: Any, pattern: str, value: Any, _: Any) -> Iterator[ValidationError]:  # noqa: ANN401
    if isinstance(value, str) and not validator.format_checker.finds(pattern, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: Any, value: Any, _: Any) -> Iterator[ValidationError]:  # noqa: ANN401
    for name, part in value.items() if isinstance(value, dict) else ():
        for pattern, schema in patterns.items():
            validator.format_checker.spend(1)
            if validator.format_checker.finds(pattern, name):
                yield from validator.descend(part, schema, path=name, schema_path=pattern)


def _additional(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterator[ValidationError]:  # noqa: ANN401
    if not isinstance(value, dict):
        return
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    validator.format_checker.spend(len(value) * len(patterns))
    finds = validator.format_checker.finds
    extras = [name for name in value if name not in named and not any(finds(pattern, name) for pattern in patterns)]
    if wanted is False and extras:
        yield ValidationError("There are names that are not allowed")
    for name in extras if isinstance(wanted, dict) else ():
        yield from validator.descend(value[name], wanted, path=name)


def _unique(validator: Any, wanted: Any, value: Any, _: Any) -> Iterator[ValidationError]:  # noqa: ANN401
    if not wanted or not isinstance(value, list):
        return
    validator.format_checker.spend(len(value))
    if len({json.dumps(_numbers_alike(item), sort_keys=True) for item in value}) < len(value):
        yield ValidationError("The items are not all different")


def _numbers_alike(value: Any) -> Any:  # noqa: ANN401  (JSON)
    """Return a value in which numbers that are equal are written alike: to JSON Schema 1.0 is 1, and true is not."""
    if isinstance(value, dict):
        return {name: _numbers_alike(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_numbers_alike(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


_Checker: Any = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {
        **{name: _counted(keyword) for name, keyword in Draft202012Validator.VALIDATORS.items()},
        "pattern": _counted(_pattern),
        "patternProperties": _counted(_pattern_properties),
        "additionalProperties": _counted(_additional),
        "uniqueItems": _counted(_unique),
    },
)
# A part that names another `$schema` would be checked by that one's own class, without bounds.
_Checker.evolve = attrs.evolve
