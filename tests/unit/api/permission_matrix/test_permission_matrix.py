"""Every route and method answers everybody as its row says, and a route without a row fails."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from django.urls import URLPattern, URLResolver, get_resolver

from tests.unit.api.permission_matrix.table import Answers, Row
from tests.unit.api.permission_matrix.world import World

pytestmark = pytest.mark.django_db

HERE = Path(__file__).parent
MODULES = [import_module(f"tests.unit.api.permission_matrix.{path.stem}") for path in sorted(HERE.glob("rows_*.py"))]
ROWS: list[Row] = [row for module in MODULES for row in module.ROWS]
OBJECTS: dict[str, Callable[[World], object]] = {}
for module in MODULES:
    OBJECTS |= getattr(module, "OBJECTS", {})
V1 = "/api/v1/"
# Django's own pages, which ask for a login of staff; a test of theirs is below.
ADMIN = "/admin/"
# Pages for people, which ask for a session and not for a token; tests/unit/console/ has who sees them.
CONSOLE = "/console/"
PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


@pytest.fixture(autouse=True)
def broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the broker seem to answer: none runs beside the unit tests, and asking takes its time."""
    monkeypatch.setattr("backend.api.health.broker_answers", lambda: True)


def full(route: str) -> str:
    return route if route.startswith("/") else V1 + route


def walk(patterns: list[Any], prefix: str = "/") -> Iterator[tuple[str, str]]:
    """Yield every method and route there is."""
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if not route.startswith((ADMIN, CONSOLE)):
                yield from walk(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern) and not route.startswith((ADMIN, CONSOLE)):
            for method in methods(pattern.callback):
                yield method, route


def methods(view: Any) -> set[str]:
    if actions := getattr(view, "actions", None):
        return {method.upper() for method in actions} - {"HEAD", "OPTIONS"}
    kind = getattr(view, "view_class", None) or getattr(view, "cls", None)
    if kind is None or kind.__module__.startswith(("django.", "drf_spectacular.")):
        # A function, or a page: it is read.
        return {"GET"}
    return {name.upper() for name in kind.http_method_names if hasattr(kind, name)} - {"HEAD", "OPTIONS"}


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    there = set(walk(get_resolver().url_patterns))
    rows = [(row.method, full(row.route)) for row in ROWS]
    assert len(there) > 30
    assert there - set(rows) == set(), "routes without a row in tests/unit/api/permission_matrix/rows_*.py"
    assert set(rows) - there == set(), "rows of routes that are not there"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method} {row.route}")
def test_everybody_gets_the_answer_of_the_row(row: Row) -> None:
    world = World.make()
    if row.prepare:
        row.prepare(world)
    path = resolved(row, world)
    got = Answers(*(status_for(who, row, path, world) for who in Answers._fields))
    assert got == row.answers


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if row.answers.stranger == 404],
    ids=lambda row: f"{row.method} {row.route}",
)
def test_a_stranger_cannot_tell_it_from_what_is_not_there(row: Row) -> None:
    world = World.make()
    if row.prepare:
        row.prepare(world)
    ids = {name: 9 if f"<int:{name}>" in row.route else uuid4() for name in PARAMETER.findall(row.route)}
    there, nowhere = (
        ask("stranger", row, path, world)
        for path in (resolved(row, world), full(PARAMETER.sub(r"{\1}", row.route)).format(**ids))
    )
    assert (there.status_code, there["Content-Type"]) == (nowhere.status_code, nowhere["Content-Type"])
    assert there.json().keys() == nowhere.json().keys()
    for member in ("type", "title", "status", "code", "hint"):
        assert there.json().get(member) == nowhere.json().get(member)


def resolved(row: Row, world: World) -> str:
    ids = {name: (row.ids.get(name) or OBJECTS[name])(world) for name in PARAMETER.findall(row.route)}
    return full(PARAMETER.sub(r"{\1}", row.route)).format(**ids) + row.query


def status_for(who: str, row: Row, path: str, world: World) -> int:
    # Everybody meets the same world: what one did is taken back before the next one asks.
    with transaction.atomic():
        status: int = ask(who, row, path, world).status_code
        transaction.set_rollback(True)
    return status


def ask(who: str, row: Row, path: str, world: World) -> Any:
    body = row.body(world) if callable(row.body) else row.body
    answer = getattr(world.client(who), row.method.lower())(path, body, content_type=row.content_type)
    # What is streamed has a file open until it is read.
    list(getattr(answer, "streaming_content", ()))
    return answer


def test_the_admin_asks_for_a_login_of_staff() -> None:
    world = World.make()
    client = world.client("anonymous")
    assert client.get(ADMIN).status_code == 302
    for name in ("stranger", "owner"):
        client.force_login(world.people[name])
        assert client.get(ADMIN)["Location"].startswith(f"{ADMIN}login/")
