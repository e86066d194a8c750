"""What retention removes, a little at a time, and that nothing of it is taken for delivered any more."""

from __future__ import annotations

from datetime import timedelta

import pytest

from backend.apps.exports.models import ExportSchedule, RepositoryExport, ScheduleRun
from backend.apps.exports.services import retention
from backend.apps.exports.services.bulk_exports import cancel_bulk_export
from backend.apps.exports.services.schedule_runs import do_round
from backend.apps.exports.services.schedules import change_schedule
from backend.apps.projects.models import Archive
from backend.apps.projects.services.archive_storage import archives_storage
from tests.unit.bulk.bulk_world import items_of
from tests.unit.bulk.nightly import ZIP, moment

pytestmark = pytest.mark.django_db


def test_an_archive_that_was_removed_is_made_again_when_it_is_asked_for(world, nightly):
    world.projects(1)
    schedule = nightly(keep_last=1)
    for day, export_type in ((2, "zip"), (3, "tar.gz")):
        schedule = change_schedule(schedule, export=ZIP | {"export_type": export_type})
        do_round(now=moment(f"2026-01-0{day}T02:00"))
        world.work()
        RepositoryExport.objects.filter(export_type=export_type).update(completed_at=moment(f"2026-01-0{day}T02:00"))
        do_round(now=moment(f"2026-01-0{day}T02:00") + timedelta(minutes=1))
    assert list(RepositoryExport.objects.exclude(archive_path="").values_list("export_type", flat=True)) == ["tar.gz"]
    for export_type, status in (("tar.gz", "skipped"), ("zip", "completed")):
        bulk = world.start(export_type=export_type)
        world.work()
        assert items_of(bulk) == {"p0": status}


def test_a_round_that_takes_long_leaves_the_rest_to_the_next(world, nightly, monkeypatch):
    nightly()
    ExportSchedule.objects.update(work="archive_generations", keep_days=30, owner=None)
    project = world.project("p", "# 0")
    for number in range(1, 4):
        world.generate(project, f"# {number}")
    newest = project.generated_projects.order_by("-completed_at")[0]
    project.generated_projects.exclude(pk=newest.pk).update(completed_at=moment("2025-01-01T00:00"))
    monkeypatch.setattr(retention, "SECONDS", 0.0)
    for archived, status in ((1, "running"), (2, "running"), (3, "running"), (3, "completed")):
        do_round(now=moment("2026-01-02T02:00"))
        assert project.generated_projects.filter(output_directory="").count() == archived
        run = ScheduleRun.objects.get()
        assert (run.status, run.result) == (status, {"generations_archived": archived})


def test_an_archive_that_a_delivery_is_about_to_give_stays_until_that_is_over(world, nightly):
    project = world.project("p", "# 1")
    nightly(keep_last=1)

    def night(day: int) -> None:
        do_round(now=moment(f"2026-01-0{day}T02:00"))
        world.work()
        new = RepositoryExport.objects.filter(completed_at__gt=moment("2026-02-01T00:00"))
        new.update(completed_at=moment(f"2026-01-0{day}T02:00"))
        do_round(now=moment(f"2026-01-0{day}T02:01"))

    night(2)
    first = Archive.objects.get().path
    bulk = world.start(skip_unchanged=False)
    world.work(1)
    # It is about to be delivered once more.
    world.messages.clear()
    for day, there in ((3, True), (4, False)):
        world.generate(project, f"# {day}")
        night(day)
        assert archives_storage().exists(first) is there
        if there:
            cancel_bulk_export(bulk)
