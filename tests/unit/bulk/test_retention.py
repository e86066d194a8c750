"""What is removed is not taken for delivered any more."""

from __future__ import annotations

from datetime import timedelta

import pytest

from backend.apps.exports.models import RepositoryExport
from backend.apps.exports.services.schedule_runs import do_round
from backend.apps.exports.services.schedules import change_schedule
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
