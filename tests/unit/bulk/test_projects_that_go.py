"""Projects that are deleted or renamed while a bulk export has items for them."""

from __future__ import annotations

from uuid import uuid4

import pytest

from backend.apps.exports.models import BulkExport, BulkExportItem, LastDelivery, ScheduleRun
from backend.apps.exports.services import bulk_planning
from backend.apps.exports.services.bulk_exports import retry_bulk_export
from backend.apps.exports.services.bulk_reports import item_row
from backend.apps.exports.services.schedule_runs import do_round
from backend.apps.projects.models import GeneratedProject, Project
from tests.unit.bulk.bulk_world import again, items_of
from tests.unit.bulk.nightly import ZIP, moment, runs

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("together", [True, False])
def test_one_that_went_before_its_item_was_seen_fails_alone(world, monkeypatch, together):
    monkeypatch.setattr("backend.apps.exports.services.bulk_archives.TOGETHER", 64 if together else 1)
    world.together = together
    world.projects(3)
    bulk = world.start()
    bulk_planning._plan_chunk(again(bulk))
    # Who deletes a project does not see the items of a planning that is under way, and they keep its id.
    BulkExportItem.objects.filter(project_slug="p1").update(project_id=uuid4(), generation_id=uuid4())
    world.work()
    assert again(bulk).status == "failed"
    assert items_of(bulk) == {"p0": "completed", "p1": "failed", "p2": "completed"}
    error = BulkExportItem.objects.get(project_slug="p1").error or {}
    assert (error["code"], error["retryable"]) == ("not_found", False)
    assert LastDelivery.objects.count() == 2


def test_an_item_says_which_generation_it_was_after_that_is_gone(world):
    project = world.project("p0")
    world.start()
    world.work()
    bulk = world.start()
    world.work()
    generation = GeneratedProject.objects.get()
    project.delete()
    (row,) = (item_row(item) for item in BulkExportItem.objects.filter(bulk_export=bulk))
    assert (row["project"], row["project_id"], row["generation"]) == ("p0", None, str(generation.pk))
    assert (row["status"], row["reason"], row["content_digest"]) == ("skipped", "unchanged", generation.content_digest)


def test_one_that_goes_while_its_item_waits_is_not_tried(world):
    projects = world.projects(3)
    bulk = world.start(window=1)
    world.work(1)
    projects[2].delete()
    world.work()
    assert items_of(bulk) == {"p0": "completed", "p1": "completed", "p2": "failed"}


def test_one_that_is_renamed_between_two_attempts_stays_with_its_repository(world, settings):
    project = world.project("p0")
    in_the_way = settings.LOCAL_REPOSITORIES_DIR / "backup-p0.git"
    in_the_way.mkdir(parents=True)
    (in_the_way / "notes").touch()
    bulk = world.start(export_type="git", destination={"repository_name": "backup-{slug}"})
    world.work()
    assert items_of(bulk) == {"p0": "failed"}
    in_the_way.joinpath("notes").unlink()
    in_the_way.rmdir()
    Project.objects.filter(pk=project.pk).update(slug="another-name")
    retry_bulk_export(again(bulk))
    world.work()
    assert items_of(bulk) == {"p0": "completed"}
    assert [path.name for path in settings.LOCAL_REPOSITORIES_DIR.iterdir()] == ["backup-p0.git"]


def test_one_of_a_schedules_list_that_goes_leaves_the_others_to_be_exported(world, nightly):
    projects = world.projects(3)
    listed = {"kind": "list", "projects": [project.slug for project in projects]}
    nightly(export=ZIP | {"selection": listed})
    projects[1].delete()
    do_round(now=moment("2026-01-02T02:00"))
    world.work()
    do_round(now=moment("2026-01-02T02:01"))
    assert runs() == [("01-02T02:00", "completed")]
    assert items_of(BulkExport.objects.get()) == {"p0": "completed", "p2": "completed"}
    assert (ScheduleRun.objects.get().result or {})["projects_gone"] == 1
    for project in (projects[0], projects[2]):
        project.delete()
    do_round(now=moment("2026-01-03T02:00"))
    assert (ScheduleRun.objects.get(status="failed").error or {})["code"] == "not_found"
