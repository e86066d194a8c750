"""How far a bulk export is, and what it came to."""

from __future__ import annotations

import csv
import hashlib
import json
from datetime import timedelta
from io import StringIO
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.exports.bulk_selectors import find_bulk_export, percent_of, progress_of, standing_word
from backend.apps.exports.models import BulkExport, BulkExportItem
from backend.apps.exports.services.bulk_advance import advance, advance_all
from backend.apps.exports.services.bulk_reports import report
from backend.apps.workflows.services import resolve_task
from backend.errors import Conflict, InDoubt, NotFound, RemoteRefused
from tests.unit.bulk.bulk_world import again


@pytest.mark.parametrize(
    ("done", "total", "percent"), [(0, 3, 0), (1, 3, 33), (2, 3, 66), (3, 3, 100), (999, 1000, 99), (0, 0, 100)]
)
def test_percent(done, total, percent):
    assert percent_of(done, total) == percent


@pytest.mark.django_db
def test_progress_never_goes_back_and_ends_at_100(world):
    world.projects(11)
    bulk = world.start(window=3)
    assert standing_word(bulk) == "planning"
    seen = [progress_of(bulk, now=timezone.now())]
    while world.work(1):
        now = progress_of(again(bulk), now=timezone.now())
        assert now.completed + now.in_flight + now.waiting + now.skipped == now.total
        seen.append(now)
    percents = [progress.percent for progress in seen]
    assert percents == sorted(percents)
    assert (percents[0], percents[-1]) == (0, 100)
    assert [progress.done for progress in seen][-12:] == list(range(12))
    # A finished task counts at once, and not when the next round takes it over.
    assert BulkExportItem.objects.filter(status="completed").count() == 11


@pytest.mark.django_db
def test_a_round_in_the_middle_of_counting_takes_nothing_away(world, monkeypatch):
    world.projects(6)
    bulk = world.start(window=6)
    world.work(1)
    # Tasks end, and no round has taken that over.
    monkeypatch.setattr("tests.unit.bulk.bulk_world.advance_after", lambda task_ids: None)
    world.work(3)
    before = progress_of(again(bulk), now=timezone.now()).done
    # Nothing comes before the first statement, a round before the second, and nothing before the others.
    first = iter([None, lambda: advance(bulk.pk, now=timezone.now())])

    def a_round_before_the_second(execute, *arguments):
        if do_round := next(first, None):
            do_round()
        return execute(*arguments)

    read = again(bulk)
    with connection.execute_wrapper(a_round_before_the_second):
        during = progress_of(read, now=timezone.now()).done
    assert before == 3
    assert during >= before


def test_what_was_in_doubt_and_is_tried_once_more_is_not_over(world):
    world.projects(2)
    bulk = world.start()
    world.work(1)
    doubted = world.messages[0]

    def doubt(claimed):
        raise InDoubt("lost answer")

    world.service = doubt
    world.work(1)
    world.service = world.real
    other = world.messages.popleft()
    advance_all(now=timezone.now())
    resolve_task(task_id=doubted, user=world.user, outcome="retry", result=None)
    once_more = world.messages.popleft()
    world.messages.append(other)
    world.work()
    advance_all(now=timezone.now())
    assert again(bulk).status == "running"
    assert progress_of(again(bulk), now=timezone.now()).percent < 100
    world.messages.append(once_more)
    world.work()
    advance_all(now=timezone.now())
    assert again(bulk).status == "completed"
    assert progress_of(again(bulk), now=timezone.now()).percent == 100


def test_the_expected_end(world):
    world.projects(4)
    bulk = world.start(window=1)
    world.work(3)
    now = timezone.now()
    BulkExport.objects.filter(pk=bulk.pk).update(started_at=now - timedelta(seconds=10))
    BulkExportItem.objects.filter(status="completed").update(completed_at=now - timedelta(seconds=1))
    progress = progress_of(again(bulk), now=now)
    assert progress.rate == pytest.approx(0.2)
    assert progress.ends_at == now + timedelta(seconds=10)
    BulkExport.objects.filter(pk=bulk.pk).update(paused_at=now)
    assert progress_of(again(bulk), now=now).ends_at is None


@pytest.mark.django_db
def test_reports(world):
    projects = world.projects(3)
    world.start({"kind": "list", "projects": [projects[0].slug]})
    world.work()

    def refuse(claimed):
        if claimed.method == "bulk.deliver" and claimed.project_id == projects[1].pk:
            raise RemoteRefused("=cmd() said no")
        return world.real(claimed)

    world.service = refuse
    bulk = world.start()
    world.work()
    advance_all(now=timezone.now())
    told = json.loads("".join(report(again(bulk), format="json", now=timezone.now())))
    assert told["counts"] == {
        "total": 3,
        "completed": 1,
        "skipped": 1,
        "failed": 1,
        "in_doubt": 0,
        "cancelled": 0,
        "in_flight": 0,
        "waiting": 0,
    }
    assert (told["status"], told["percent"]) == ("failed", 100)
    rows = {row["project"]: row for row in told["items"]}
    assert (rows["p0"]["status"], rows["p0"]["reason"]) == ("skipped", "unchanged")
    assert (rows["p1"]["error_code"], rows["p1"]["error_message"]) == ("remote_refused", "=cmd() said no")
    lines = list(csv.DictReader(StringIO("".join(report(again(bulk), format="csv", now=timezone.now())))))
    assert [line["position"] for line in lines] == ["0", "1", "2"]
    assert {line["project"]: line["error_message"] for line in lines}["p1"] == "'=cmd() said no"
    (line,) = "".join(report(again(bulk), format="manifest", now=timezone.now())).splitlines()
    digest, path = line.split("  ")
    assert digest == hashlib.sha256(Path(path).read_bytes()).hexdigest() == rows["p2"]["archive_digest"]


@pytest.mark.django_db
def test_a_report_of_nothing_is_valid(world):
    bulk = world.start({"kind": "label", "label": "none"})
    world.work()
    assert json.loads("".join(report(again(bulk), format="json", now=timezone.now())))["items"] == []
    assert "".join(report(again(bulk), format="csv", now=timezone.now())).startswith("position,project")


@pytest.mark.django_db
def test_a_bulk_export_is_found_by_those_who_may_see_it(world):
    bulk = world.start()
    stranger = User.objects.create(username="stranger")
    for reference in (bulk.pk, str(bulk.pk)[:8], "last"):
        assert find_bulk_export(user=world.user, reference=reference) == bulk
        with pytest.raises(NotFound):
            find_bulk_export(user=stranger, reference=reference)
    for wrong in ("", "zz", str(uuid4())):
        with pytest.raises(NotFound):
            find_bulk_export(user=world.user, reference=wrong)
    for number in range(17):
        world.start(name=str(number))
    first = {str(row.pk)[0] for row in BulkExport.objects.all()}
    shared = next(digit for digit in first if sum(str(row.pk)[0] == digit for row in BulkExport.objects.all()) > 1)
    with pytest.raises(Conflict):
        find_bulk_export(user=world.user, reference=shared)
