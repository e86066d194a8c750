"""Planning a bulk export: in chunks, each once, and what follows from a planner that was lost, doubled or failed."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from backend.apps.exports.models import BulkExport, BulkExportItem
from backend.apps.exports.services import bulk_planning
from backend.apps.exports.services.bulk_advance import advance, advance_all
from backend.apps.exports.services.bulk_exports import cancel_bulk_export, pause_bulk_export, retry_bulk_export
from backend.apps.projects.models import Project
from backend.errors import InvalidInput, RemoteRefused
from tests.unit.bulk.bulk_world import again, items_of, tasks_in_flight

pytestmark = pytest.mark.django_db


def test_a_planner_that_was_lost_plans_nothing_twice(world, monkeypatch):
    world.projects(7)
    monkeypatch.setattr(bulk_planning, "CHUNK", 3)
    bulk = world.start()
    bulk_planning._plan_chunk(again(bulk))
    assert (again(bulk).total, again(bulk).status) == (3, "pending")
    world.work()
    assert (again(bulk).total, again(bulk).status) == (7, "completed")
    positions = BulkExportItem.objects.order_by("position").values_list("position", flat=True)
    assert list(positions) == list(range(7))


def test_two_planners_at_once_do_not_both_plan_a_chunk(world):
    world.projects(2)
    bulk = world.start()
    stale = again(bulk)
    bulk_planning._plan_chunk(again(bulk))
    with pytest.raises(Exception, match="Another attempt"):
        bulk_planning._plan_chunk(stale)
    assert BulkExportItem.objects.count() == 2


def test_planning_takes_a_constant_number_of_queries_per_chunk(world):
    def queries(count):
        bulk = world.start()
        Project.objects.bulk_create(
            Project(name=f"q{count}-{n}", slug=f"q{count}-{n}", owner=world.user) for n in range(count)
        )
        BulkExport.objects.filter(pk=bulk.pk).update(created_at=timezone.now())
        planned = again(bulk)
        with CaptureQueriesContext(connection) as captured:
            bulk_planning._plan_chunk(planned)
        assert again(bulk).total >= count
        return len(captured)

    assert queries(10) == queries(300)


def test_a_few_are_started_before_the_rest_of_the_window(world, monkeypatch):
    started = []

    def counted(*arguments, **options):
        started.append(advance(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(bulk_planning, "FIRST", 2)
    monkeypatch.setattr("backend.apps.exports.services.bulk_advance.advance", counted)
    world.projects(9)
    world.start(window=6)
    world.work(1)
    assert started == [2, 4]
    assert tasks_in_flight() == 6


def test_planning_that_fails_is_told_and_tried_again(world):
    world.projects(2)
    bulk = world.start()

    def refuse(claimed):
        raise InvalidInput("no")

    world.service = refuse
    world.work()
    advance_all(now=timezone.now())
    assert (again(bulk).status, (again(bulk).error or {})["message"]) == ("failed", "no")
    world.service = world.real
    retry_bulk_export(again(bulk))
    world.work()
    assert again(bulk).status == "completed"


def test_one_whose_planning_failed_while_it_was_paused_is_tried_again_and_not_paused(world):
    world.projects(2)
    bulk = world.start()
    pause_bulk_export(again(bulk))

    def refuse(claimed):
        raise RemoteRefused("no")

    world.service = refuse
    world.work()
    advance_all(now=timezone.now())
    assert (again(bulk).status, again(bulk).paused_at) == ("failed", None)
    world.service = world.real
    retry_bulk_export(again(bulk))
    world.work()
    assert again(bulk).status == "completed"


def test_cancel_while_it_is_planned(world):
    world.projects(3)
    bulk = cancel_bulk_export(world.start())
    world.work()
    assert (bulk.status, items_of(bulk)) == ("cancelled", {})
