"""Pages of runs where there are many against those where there are few, each in a database of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Count, DateTimeField
from django.db.models.expressions import RawSQL
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from backend.apps.authentication.models import User
from backend.apps.projects.models import Project
from backend.apps.workflows.models import WorkflowExecution
from backend.cli.stack.broker import EmbeddedBroker
from backend.cli.stack.migrate import prepare_database
from benchmarks import noop
from benchmarks.growth import FEW, MANY, Chains, copy_runs, forget_runs, rest
from benchmarks.measure import Row, in_turn, row, seconds_of

MARK = 1.3
PAIRS = 60
MOST_QUERIES = 3
RUNS = "/api/v1/workflows/executions/"


def measure(folder: Path, *, quick: bool) -> list[Row]:
    """Measure pages in this process: what comes on top of them over HTTP is the same for both sides."""
    assert noop.noop.name == "agents.noop"
    prepare_database()
    # Requests are counted in the broker's server, also those that are made in this process.
    with EmbeddedBroker(folder):
        return _pages(User.objects.get(username="operator"), many=5_000 if quick else MANY, pairs=5 if quick else PAIRS)


def _pages(user: User, *, many: int, pairs: int) -> list[Row]:
    project = Project.objects.create(name="Few among many", slug="few-among-many", owner=_member())
    forget_runs()
    Chains().once()
    copy_runs(FEW, whole=False)
    _spread()
    _set_apart(project)
    rest()
    large = _copy_of_the_database()
    with _in(large):
        copy_runs(many, whole=False)
        _spread()
        rest()
    lists = {
        "": user,
        "&status=failed": user,
        f"&project={project.pk}": user,
        f"&user={user.pk}": user,
        "&workflow=growth": user,
        " of a member": _member(),
    }
    rows = [_row(query, reader, large=large, many=many, pairs=pairs) for query, reader in lists.items()]
    with _in(large):
        connection.close()
    return rows


def _copy_of_the_database() -> BaseDatabaseWrapper:
    """Return a connection to a copy of this database; both stay."""
    here = connections[DEFAULT_DB_ALIAS]
    name = str(here.settings_dict["NAME"])
    copy = connections.create_connection(DEFAULT_DB_ALIAS)
    copy.settings_dict = {**here.settings_dict, "NAME": f"{name}_many"}
    if here.vendor == "sqlite":
        with here.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [copy.settings_dict["NAME"]])
    else:
        here.close()
        with here._nodb_cursor() as cursor:  # as Django's own test runner does
            cursor.execute(f'CREATE DATABASE "{name}_many" TEMPLATE "{name}"')
    return copy


@contextmanager
def _in(database: BaseDatabaseWrapper) -> Iterator[None]:
    """Have this thread work in another database."""
    before = connections[DEFAULT_DB_ALIAS]
    connections[DEFAULT_DB_ALIAS] = database
    try:
        yield
    finally:
        connections[DEFAULT_DB_ALIAS] = before


def _spread() -> None:
    """Spread the copies of the one run over a hundred days; a copy has its moment, to the microsecond."""
    moment = WorkflowExecution.objects.values("created_at").annotate(n=Count("pk")).order_by("-n").first()
    assert moment is not None
    if connection.vendor == "sqlite":
        text = "strftime('%%Y-%%m-%%d %%H:%%M:%%f', created_at, '-' || abs(random() %% 8640000) || ' seconds')"
    else:
        text = "created_at - random() * interval '100 days'"
    WorkflowExecution.objects.filter(created_at=moment["created_at"]).update(
        created_at=RawSQL(text, [], DateTimeField())
    )


def _row(query: str, reader: User, *, large: BaseDatabaseWrapper, many: int, pairs: int) -> Row:
    """Measure one list, in turn with few runs and with many. The number of queries is the same, and bounded."""
    read = _page(reader, query if query.startswith("&") else "")

    def among_many() -> float:
        with _in(large):
            return seconds_of(read) / 2

    with CaptureQueriesContext(connection) as queries:
        read()
    with _in(large), CaptureQueriesContext(connections[DEFAULT_DB_ALIAS]) as more:
        read()
    assert len(queries) == len(more) <= 2 * MOST_QUERIES, (query, len(queries), len(more))
    narrowed = query.split("=")[0].lstrip("&") if query.startswith("&") else query.strip()
    what = f"a page of 50 of {many:,} runs" + (f", {narrowed}" if narrowed else "")
    figures = in_turn(among_many, lambda: seconds_of(read) / 2, pairs=pairs)
    return row(what, f"of {FEW:,} runs", figures, show=_tenths, better="lower", mark=MARK)


def _page(reader: User, query: str) -> Callable[[], None]:
    """Return what reads the first page, and one that a cursor leads to."""
    client = APIClient()
    client.force_authenticate(reader)
    address = f"{RUNS}?page_size=50{query}"

    def read() -> None:
        first = client.get(address, SERVER_NAME="localhost")
        assert first.status_code == 200, first.content
        assert len(first.json()["results"]) == 50, address
        assert client.get(first.json()["next"], SERVER_NAME="localhost").status_code == 200

    return read


def _member() -> User:
    return User.objects.get_or_create(username="member")[0]


def _set_apart(project: Project) -> None:
    """Give some runs to the project and some to no success; they are the oldest when there are many."""
    ids = list(WorkflowExecution.objects.order_by("created_at", "id").values_list("pk", flat=True)[:300])
    WorkflowExecution.objects.filter(pk__in=ids[:150]).update(project_id=project.pk, project_name=project.slug)
    WorkflowExecution.objects.filter(pk__in=ids[150:]).update(status="failed")


def _tenths(value: float) -> str:
    return f"{value * 1000:,.1f} ms"
