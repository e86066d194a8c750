"""The statements that every link of every chain runs, as text that is made once per process.

Django's query builder makes the text anew each time, which takes several times as long as the database needs for the
answer; the paths of claim and write-back ran nine tenths of their time in it. What is here does the same for plain
columns: values go through the model's fields, so that both databases get and give what they would with the ORM.
Everything that is not on those paths uses the ORM.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model

Parameters = dict[str, Any] | Sequence[Any]
MOST_PARAMETERS = 900
"""Values in one statement. SQLite takes at least 999."""


@contextmanager
def one_journey() -> Iterator[None]:
    """Send what is executed within to the server together, where the database is one that has a server.

    What is read is waited for, with all before it; what is only written has been done, or has failed, at the end.
    Within it no count of changed rows is known: a statement that must know says RETURNING, and the ORM's own `save`
    does not work.
    """
    connection = _here()
    if connection.vendor != "postgresql":
        yield
        return
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


def run(sql: str, parameters: Parameters) -> None:
    """Execute a statement that gives no rows."""
    with _here().cursor() as cursor:
        cursor.execute(sql, parameters)


def fetch(sql: str, parameters: Parameters) -> list[tuple[Any, ...]]:
    """Execute a statement, and return the rows it gives."""
    with _here().cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


def fetch_each(*statements: tuple[str, Parameters]) -> list[list[tuple[Any, ...]]]:
    """Execute statements that give rows, one after the other in one journey, and return the rows of each."""
    connection = _here()
    if connection.vendor != "postgresql":
        return [fetch(sql, parameters) for sql, parameters in statements]
    with one_journey(), ExitStack() as stack:
        cursors = [stack.enter_context(connection.cursor()) for _ in statements]
        for cursor, (sql, parameters) in zip(cursors, statements, strict=True):
            cursor.execute(sql, parameters)
        return [list(cursor.fetchall()) for cursor in cursors]


def values(model: type[Model], **named: Any) -> dict[str, Any]:  # noqa: ANN401  (the columns' values)
    """Return the values as this database wants them for the model's fields of those names."""
    connection = _here()
    return {name: _field(model, name).get_db_prep_save(value, connection) for name, value in named.items()}


def as_value(model: type[Model], name: str, value: Any) -> Any:  # noqa: ANN401
    """Return one value as this database wants it for the model's field of that name."""
    return _field(model, name).get_db_prep_save(value, _here())


def among(model: type[Model], name: str, wanted: Sequence[Any]) -> tuple[str, dict[str, Any]]:
    """Return what says that a column has one of these values, and its parameters, which are named after the column.

    PostgreSQL takes them as one array: the driver remembers no statement that has more than fifty parameters.
    """
    given = [as_value(model, name, value) for value in wanted]
    column = f'"{_field(model, name).column}"'
    if _here().vendor == "postgresql":
        return f"{column} = ANY(%({name}s)s)", {f"{name}s": given}
    parameters = {f"{name}{number}": value for number, value in enumerate(given)}
    return f"{column} IN ({', '.join(f'%({key})s' for key in parameters)})", parameters


def save(row: Model, *names: str) -> None:
    """Write these fields; `row.save(update_fields=names)` without signals. A row that is yet to be inserted waits."""
    if row._state.adding:
        return
    connection = _here()
    fields = [_field(type(row), name) for name in names]
    parameters = [field.get_db_prep_save(field.pre_save(row, False), connection) for field in fields]
    run(_update_text(type(row), names), [*parameters, as_value(type(row), "id", row.pk)])


def insert(rows: Iterable[Model]) -> None:
    """Insert rows of one model, whose keys are set already; `bulk_create` without signals.

    A column that holds its plain default in every row takes no parameter: the driver spends more on each than the
    database on the whole row, and does not remember a statement that has more than fifty.
    """
    new = list(rows)
    if not new:
        return
    connection = _here()
    model, plain = type(new[0]), _plain(type(new[0]))
    fields = [
        field
        for field in model._meta.local_concrete_fields
        if field.attname not in plain or any(getattr(row, field.attname) != plain[field.attname] for row in new)
    ]
    names = tuple(field.attname for field in fields)
    at_once = max(1, MOST_PARAMETERS // len(fields))
    for begin in range(0, len(new), at_once):
        batch = new[begin : begin + at_once]
        parameters = [
            field.get_db_prep_save(field.pre_save(row, True), connection) for row in batch for field in fields
        ]
        run(_insert_text(model, names, len(batch)), parameters)
    for row in new:
        row._state.adding = False
        row._state.db = connection.alias


class Columns:
    """Some columns of a model: as they stand in a statement, and read from its rows.

    What is not among them is loaded when it is first asked for, as with `defer()`.
    """

    def __init__(self, model: type[Model], names: Iterable[str]) -> None:
        wanted = set(names)
        # `from_db` takes the values in the order of the model's fields.
        fields = [field for field in model._meta.concrete_fields if field.name in wanted]
        self.model = model
        self._names = [field.attname for field in fields]
        self._columns = [field.get_col(model._meta.db_table) for field in fields]
        self.text = ", ".join(f'"{model._meta.db_table}"."{field.column}"' for field in fields)
        self._converters: dict[str, list[list[Any]]] = {}

    def read(self, row: Sequence[Any]) -> Any:  # noqa: ANN401  (an instance of the model)
        """Return the row as an instance of the model."""
        connection = _here()
        found = []
        for value, column, converters in zip(row, self._columns, self._of_database(connection), strict=True):
            for convert in converters:
                value = convert(value, column, connection)
            found.append(value)
        return self.model.from_db(connection.alias, self._names, found)

    def _of_database(self, connection: BaseDatabaseWrapper) -> list[list[Any]]:
        known = self._converters.get(connection.vendor)
        if known is None:
            known = [
                [*connection.ops.get_db_converters(column), *column.get_db_converters(connection)]
                for column in self._columns
            ]
            self._converters[connection.vendor] = known
        return known


def _here() -> BaseDatabaseWrapper:
    """Return this thread's connection itself: `django.db.connection` looks it up anew for each of its attributes."""
    return connections[DEFAULT_DB_ALIAS]


@cache
def _field(model: type[Model], name: str) -> Field[Any, Any]:
    return next(field for field in model._meta.concrete_fields if field.name == name)


@cache
def _update_text(model: type[Model], names: tuple[str, ...]) -> str:
    changes = ", ".join(f'"{_field(model, name).column}" = %s' for name in names)
    return f'UPDATE "{model._meta.db_table}" SET {changes} WHERE "id" = %s'  # noqa: S608  (names of columns)


@cache
def _plain(model: type[Model]) -> dict[str, Any]:
    """Return the defaults of a model that need no parameter: they stand in the statement as they are."""
    return {
        field.attname: field.default if field.has_default() else None
        for field in model._meta.local_concrete_fields
        if (field.has_default() and isinstance(field.default, bool | int | str))
        or (field.null and not field.has_default())
    }


def _literal(value: Any) -> str:  # noqa: ANN401  (a default that a model's author wrote)
    if value is None or isinstance(value, bool):
        return {None: "NULL", True: "TRUE", False: "FALSE"}[value]
    return str(int(value)) if isinstance(value, int) else "'" + value.replace("'", "''").replace("%", "%%") + "'"


@cache
def _insert_text(model: type[Model], given: tuple[str, ...], rows: int) -> str:
    """Return the statement that inserts so many rows; given: the columns whose values are parameters."""
    fields, plain = model._meta.local_concrete_fields, _plain(model)
    columns = ", ".join(f'"{field.column}"' for field in fields)
    values = ["%s" if field.attname in given else _literal(plain[field.attname]) for field in fields]
    every = ", ".join(["(" + ", ".join(values) + ")"] * rows)
    return f'INSERT INTO "{model._meta.db_table}" ({columns}) VALUES {every}'  # noqa: S608  (names of columns)
