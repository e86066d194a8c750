"""Reads the first rows of several parts of a table together, when an index has each part in order but not all of them.

Without it a page of somebody who sees little among much would be found by looking at everything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL


class Merged:
    """Several query sets of one model that share no row, to be ordered and cut as one. It has no more than pages need.

    finish: what the rows of the page get, such as `select_related`; it must not narrow them.
    """

    def __init__(self, parts: Sequence[QuerySet[Any]], finish: Callable[[QuerySet[Any]], QuerySet[Any]]) -> None:
        self._parts = parts
        self._finish = finish
        self._order: tuple[str, ...] = ()

    def filter(self, *conditions: Any, **named: Any) -> Merged:  # noqa: ANN401  (as in QuerySet)
        """Narrow every part."""
        return Merged([part.filter(*conditions, **named) for part in self._parts], self._finish)

    def order_by(self, *names: str) -> Merged:
        """Order the whole."""
        ordered = Merged(self._parts, self._finish)
        ordered._order = names
        return ordered

    def __getitem__(self, wanted: slice) -> QuerySet[Any]:
        """Return the first rows of the whole: of each part no more than these are looked at."""
        rows = self._parts[0] if len(self._parts) == 1 else self._first_of_each(wanted.stop)
        return self._finish(rows).order_by(*self._order)[wanted]

    def _first_of_each(self, count: int) -> QuerySet[Any]:
        texts, parameters = [], []
        for number, part in enumerate(self._parts):
            first = part.order_by(*self._order).values("pk")[:count]
            try:
                text, values = first.query.get_compiler(connection=connection).as_sql()
            except EmptyResultSet:
                continue
            # SQLite takes an order and a limit in a part of a union only below a SELECT of its own.
            texts.append(f"SELECT * FROM ({text}) AS part_{number}")  # noqa: S608  (made by Django)
            parameters += values
        everything: QuerySet[Any] = self._parts[0].model._default_manager.all()
        if not texts:
            return everything.none()
        return everything.filter(pk__in=RawSQL(" UNION ALL ".join(texts), parameters))  # noqa: S611  (made by Django)
