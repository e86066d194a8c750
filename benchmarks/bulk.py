"""Bulk exports: archives by one worker process and by two, against bare loops; planning; the night after the night."""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch
from uuid import uuid4

import django
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.exports.models import BulkExport, BulkExportItem
from backend.apps.exports.services import bulk_planning
from backend.apps.exports.services.bulk_exports import start_bulk_export
from backend.apps.projects.models import GeneratedProject, Project
from backend.apps.projects.services.archives import write_archive
from backend.apps.projects.services.workspace import Workspace
from backend.apps.workflows.execution import chains
from backend.cli.stack.broker import EmbeddedBroker
from backend.cli.stack.migrate import prepare_database
from benchmarks.chain import worker
from benchmarks.measure import Row, Skipped, in_turn, row, seconds_of, until
from benchmarks.portfolio import add_projects, change, forget_archives, workspace_of

FORMAT = "zip"
"""One thread each, so that processes are what is compared; a tar.gz of some size compresses with two."""
FILES, NIGHT_FILES = 50, 5
TWO_PROCESSES, OF_A_BARE_LOOP, SECOND_NIGHT = 1.8, 0.7, 0.03
PLANNING, PLANNING_MEMORY = 1.1, 16e6
PAUSE = 0.2
"""Seconds between two questions whether it is over: each takes a core from what is measured."""


def measure(folder: Path, *, quick: bool) -> list[Row | Skipped]:
    """Return the lines for archives, for planning and for a night in which little has changed."""
    prepare_database()
    user = User.objects.get(username="operator")
    with EmbeddedBroker(folder):
        rows = _archives(folder, user, count=40 if quick else 1000, pairs=1 if quick else 3)
        rows += _nights(user, count=200 if quick else 10_000, changed=1 if quick else 50)
    return rows + _planning(user, few=200 if quick else 1_000, many=1_000 if quick else 100_000)


def _archives(folder: Path, user: User, *, count: int, pairs: int) -> list[Row | Skipped]:
    """Compare two worker processes with one, one with a bare loop, and two bare loops with one."""
    add_projects(count, files=FILES, owner=user)
    places = [workspace_of(generation) for generation in GeneratedProject.objects.all()]
    with ExitStack() as stack:
        bare = stack.enter_context(
            ProcessPoolExecutor(max_workers=2, mp_context=get_context("spawn"), initializer=django.setup)
        )
        loops = partial(_bare_loops, bare, places, folder / "bare")
        with worker("backend.config.celery", "bulk", pool=1):
            single = partial(_export, user, skip_unchanged=False)
            against_loop = in_turn(lambda: count / single(), lambda: count / loops(1), pairs=pairs)
        bare_scaling = in_turn(lambda: count / loops(2), lambda: count / loops(1), pairs=pairs)
        ones: list[float] = []
        twos: list[float] = []
        for _ in range(pairs):
            for size, found in ((1, ones), (2, twos)):
                with worker("backend.config.celery", "bulk", pool=size):
                    _export(user, selection=_some(), skip_unchanged=False)
                    found.append(count / _export(user, skip_unchanged=False))
    scaling = (twos, ones, [two / one for two, one in zip(twos, ones, strict=True)])
    what = f"archives of {count:,} projects of {FILES} files"
    return [
        row(what, "a bare loop", against_loop, show=_each_second, better="higher", mark=OF_A_BARE_LOOP),
        row(f"{what}, 2 processes", "1 process", scaling, show=_each_second, better="higher", mark=TWO_PROCESSES),
        row("  2 bare loops", "1 bare loop", bare_scaling, show=_each_second, better="higher"),
    ]


def _nights(user: User, *, count: int, changed: int) -> list[Row | Skipped]:
    """Compare a night in which few projects have changed with the first one."""
    Project.objects.all().delete()
    projects = add_projects(count, files=NIGHT_FILES, owner=user)
    with worker("backend.config.celery", "bulk"):
        all_of_them = _export(user)
        change(projects[:: count // changed], files=NIGHT_FILES, owner=user)
        again = _export(user)
    last = BulkExport.objects.first()
    done = BulkExportItem.objects.filter(bulk_export=last, status="completed").count()
    if done != changed:
        raise RuntimeError(f"{done} projects were delivered in the second night, and not {changed}")
    return [
        Row(
            what=f"a night with {changed} changed of {count:,} projects",
            ours=f"{again:.2f} s",
            against="all of them",
            theirs=f"{all_of_them:.1f} s",
            ratio=again / all_of_them,
            spread=(again / all_of_them,) * 2,
            better="lower",
            mark=SECOND_NIGHT,
        )
    ]


def _planning(user: User, *, few: int, many: int) -> list[Row | Skipped]:
    """Compare what planning costs for each of many projects with what it costs for each of few."""
    Project.objects.all().delete()
    add_projects(few, files=1, owner=user, written=False)
    _plan(user), _plan(user)
    small = [_plan(user) / few for _ in range(5)]
    queries_of_few = _queries(user)
    add_projects(many - few, files=1, owner=user, written=False)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    large = [_plan(user) / many for _ in range(3)]
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    of_each, of_few = _queries(user) / (many / bulk_planning.CHUNK), queries_of_few / max(1, few / bulk_planning.CHUNK)
    return [
        Row(
            what=f"planning, for each of {many:,} projects",
            ours=f"{min(large) * 1e6:.0f} µs",
            against=f"of {few:,}",
            theirs=f"{min(small) * 1e6:.0f} µs",
            # The quickest: a busy machine only adds to a figure.
            ratio=min(large) / min(small),
            spread=(min(large) / max(small), max(large) / min(small)),
            better="lower",
            mark=PLANNING,
        ),
        Row(
            what=f"  memory that planning {many:,} adds",
            ours=f"{grown / 1e6:.1f} MB",
            against="what it may",
            theirs=f"{PLANNING_MEMORY / 1e6:.0f} MB",
            ratio=grown / PLANNING_MEMORY,
            spread=(grown / PLANNING_MEMORY,) * 2,
            better="lower",
            mark=1.0,
        ),
        Row(
            what=f"  statements for a chunk of {bulk_planning.CHUNK:,}, of {many:,}",
            ours=f"{of_each:.1f}",
            against=f"of {few:,}",
            theirs=f"{of_few:.1f}",
            ratio=of_each / of_few,
            spread=(of_each / of_few,) * 2,
            better="lower",
            mark=1.0,
        ),
    ]


def _export(user: User, *, selection: object = None, skip_unchanged: bool = True) -> float:
    """Export all projects and return the seconds from the start to the end, as the bulk export has noted it."""
    if not skip_unchanged:
        forget_archives()
    began = timezone.now()
    bulk = start_bulk_export(
        user=user, selection=selection or {"kind": "all"}, export_type=FORMAT, skip_unchanged=skip_unchanged
    )
    ended = BulkExport.objects.filter(pk=bulk.pk).exclude(completed_at=None)
    until(ended.exists, pause=PAUSE)
    bulk.refresh_from_db()
    if bulk.status != "completed" or bulk.completed_at is None:
        raise RuntimeError(f"the bulk export is {bulk.status}")
    return (bulk.completed_at - began).total_seconds()


def _some() -> dict[str, object]:
    """Select a few projects: a worker that has just begun makes its imports and its connection with them."""
    return {"kind": "list", "projects": [str(pk) for pk in Project.objects.values_list("pk", flat=True)[:8]]}


def _bare_loops(bare: ProcessPoolExecutor, places: Sequence[Path], target: Path, processes: int) -> float:
    """Package all the workspaces in so many processes that do nothing else, and return the seconds."""
    target = target / uuid4().hex
    # Both are there, have made their imports, and wait.
    list(bare.map(_nothing, range(processes * 8)))
    parts = [(list(places[number::processes]), target / str(number)) for number in range(processes)]
    return seconds_of(lambda: list(bare.map(_bare_loop, *zip(*parts, strict=True))))


def _bare_loop(places: list[Path], target: Path) -> None:
    for place in places:
        write_archive(workspace=Workspace(place), target=target / place.name / f"a.{FORMAT}", format=FORMAT)


def _nothing(number: int) -> int:
    time.sleep(0.02)
    return number


def _plan(user: User) -> float:
    """Plan a bulk export of all projects, deliver nothing, and return the seconds."""
    BulkExport.objects.all().delete()
    with patch.object(chains, "publish_chain", return_value=True):
        bulk = start_bulk_export(user=user, selection={"kind": "all"}, export_type=FORMAT)
        return seconds_of(lambda: bulk_planning.plan_items(bulk_export_id=bulk.pk))


def _queries(user: User) -> int:
    with CaptureQueriesContext(connection) as captured:
        _plan(user)
    return sum("savepoint" not in query["sql"].lower() for query in captured)


def _each_second(value: float) -> str:
    return f"{value:.0f} /s"
