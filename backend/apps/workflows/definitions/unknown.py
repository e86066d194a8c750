"""Fills expressions in as far as is known before anything has run. Pure.

What nobody can know yet is an `Unknown`: a text that names what it stands for, between marks, and that is never taken
for a value. An expression that reads one is one itself; within a longer text its mark stands in the value's place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from backend.apps.workflows.definitions.expressions import Expression, Reference
from backend.apps.workflows.definitions.rendering import OPENING, Path, as_text, cut, render, shown
from backend.apps.workflows.errors import InvalidExpression


class Unknown(str):
    """A text that is not known, or only in part: what is not stands between `«` and `»`."""

    __slots__ = ()

    @classmethod
    def of(cls, what: str) -> Self:
        """Return the mark of one value that is not known."""
        return cls(f"«{what}»")


@dataclass(frozen=True)
class Missing:
    """Where an expression stands whose value is not known, and its text."""

    path: str
    expression: str


@dataclass
class PartialRendering:
    """Fills in values over `data`, in which Unknowns may stand, and collects in `missing` what it did not know."""

    data: Mapping[str, Any]
    missing: list[Missing] = field(default_factory=list)

    def render(self, value: Any, path: Path = ()) -> Any:  # noqa: ANN401  (JSON)
        """Return `value` filled in as `rendering.render` does. Raises InvalidExpression with the path, as that does."""
        if isinstance(value, str):
            return self._text(value, path) if OPENING in value else value
        if isinstance(value, Mapping):
            return self._mapping(value, path)
        if isinstance(value, list):
            return [self.render(item, (*path, index)) for index, item in enumerate(value)]
        return value

    def _mapping(self, value: Mapping[str, Any], path: Path) -> dict[str, Any]:
        rendered: dict[str, Any] = {}
        for key, item in value.items():
            name = self.render(key, (*path, key))
            if not isinstance(name, str):
                raise InvalidExpression("A key must be filled in with a text.", path=shown((*path, key)))
            if name in rendered:
                raise InvalidExpression(f"Two keys are filled in with {name!r}.", path=shown((*path, key)))
            rendered[name] = self.render(item, (*path, key))
        return rendered

    def _text(self, text: str, path: Path) -> Any:  # noqa: ANN401  (JSON)
        found = cut(text)
        marks = {
            part: mark
            for part in found.parts
            if isinstance(part, Expression) and (mark := self._mark(part, whole=found.whole is not None)) is not None
        }
        if not marks:
            return render(text, self.data, path)
        self.missing.extend(Missing(shown(path), part.text) for part in marks)
        if found.whole is not None:
            return marks[found.whole]
        # The rest is filled in as ever, one piece at a time.
        try:
            return Unknown("".join(self._piece(part, marks) for part in found.parts))
        except InvalidExpression as error:
            error.place.setdefault("path", shown(path))
            raise

    def _piece(self, part: str | Expression, marks: Mapping[Expression, Unknown]) -> str:
        if isinstance(part, str):
            return part
        return marks[part] if part in marks else as_text(part, self.data)

    def _mark(self, expression: Expression, *, whole: bool) -> Unknown | None:
        """Return what stands for an expression that is not known; None for one that is.

        A value that is known in part is passed on as it is where it is the whole, and compared nowhere.
        """
        for reference in expression.references:
            found = self._reached(reference)
            alone = expression.source is None
            if isinstance(found, Unknown):
                return Unknown.of(str(reference)) if alone else Unknown.of(expression.text)
            if not (whole and alone) and not is_known(found):
                return Unknown.of(expression.text)
        return None

    def _reached(self, reference: Reference) -> Any:  # noqa: ANN401  (JSON)
        """Return what a reference leads to, or the Unknown on its way; None where it leads nowhere, which is said."""
        value: Any = self.data
        for part in reference.parts:
            if isinstance(value, Unknown):
                return value
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value


def is_known(value: Any) -> bool:  # noqa: ANN401  (JSON with Unknowns in it)
    """Return whether nothing in a value is unknown."""
    return next(unknowns(value), None) is None


def unknowns(value: Any) -> Iterator[Unknown]:  # noqa: ANN401  (JSON with Unknowns in it)
    """Yield every Unknown in a value, keys included."""
    if isinstance(value, Unknown):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from unknowns(key)
            yield from unknowns(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from unknowns(item)
