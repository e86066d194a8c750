"""Schedules: one start for each due time, rules for overlaps and for what was missed, retention, notifications."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.exports.models import BulkExport, ExportSchedule, RepositoryExport, ScheduleRun
from backend.apps.exports.services import schedule_runs
from backend.apps.exports.services.retention import Removed, archive_generations
from backend.apps.exports.services.schedule_runs import do_round, note_due
from backend.apps.exports.services.schedules import (
    change_schedule,
    create_schedule,
    delete_schedule,
    pause_schedule,
    resume_schedule,
    run_now,
)
from backend.apps.projects.models import Archive, GeneratedProject
from backend.apps.projects.services.generations import package
from backend.apps.workflows.models import TaskExecution, WorkflowExecution
from backend.errors import Conflict, InvalidInput, RemoteRefused
from tests.unit.bulk.nightly import ZIP, moment, runs

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_schedule_of_the_product():
    ExportSchedule.objects.all().delete()


def test_a_due_time_starts_one_bulk_export(world, nightly):
    world.projects(2)
    nightly()
    do_round(now=moment("2026-01-02T01:59"))
    assert runs() == []
    do_round(now=moment("2026-01-02T02:00"))
    do_round(now=moment("2026-01-02T02:00"))
    assert runs() == [("01-02T02:00", "running")]
    world.work()
    do_round(now=moment("2026-01-02T02:01"))
    assert runs() == [("01-02T02:00", "completed")]
    assert BulkExport.objects.get().status == "completed"
    assert ExportSchedule.objects.get().next_due_at == moment("2026-01-03T02:00")


def test_an_interval_is_due_once_after_each_of_its_lengths(world):
    made = create_schedule(owner=world.user, name="hourly", export=ZIP, interval_seconds=3600, catch_up="all")
    begins = made.created_at
    assert made.next_due_at == begins + timedelta(hours=1)
    for seconds in (3600, 3605, 7200, 7205):
        do_round(now=begins + timedelta(seconds=seconds))
        world.work()
    due = ScheduleRun.objects.order_by("due_at").values_list("due_at", flat=True)
    assert list(due) == [begins + timedelta(hours=1), begins + timedelta(hours=2)]
    assert not ScheduleRun.objects.filter(status="skipped").exists()


def test_a_clock_that_was_far_ahead_and_is_set_right_leaves_no_schedule_behind(world, nightly):
    world.projects(1)
    nightly()
    do_round(now=moment("2031-05-05T12:00"))
    assert ExportSchedule.objects.get().next_due_at == moment("2031-05-06T02:00")
    do_round(now=moment("2026-01-02T12:00"))
    assert ExportSchedule.objects.get().next_due_at == moment("2026-01-03T02:00")
    do_round(now=moment("2026-01-03T02:00"))
    assert ScheduleRun.objects.filter(due_at=moment("2026-01-03T02:00")).exists()
    # Another host's clock that is a little behind takes nothing back.
    do_round(now=moment("2026-01-03T01:59"))
    assert ExportSchedule.objects.get().next_due_at == moment("2026-01-04T02:00")


def test_two_beats_start_nothing_twice(world, nightly):
    world.projects(1)
    schedule = nightly()
    # Both have read the same row before either has changed it.
    now = moment("2026-01-02T02:00")
    assert [note_due(schedule, now=now), note_due(schedule, now=now)] == [True, False]
    run = ScheduleRun.objects.select_related("schedule", "schedule__owner").get()
    stale = ScheduleRun.objects.select_related("schedule", "schedule__owner").get()
    schedule_runs._begin(run, now=now)
    schedule_runs._begin(stale, now=now)
    do_round(now=now)
    assert BulkExport.objects.count() == 1
    assert TaskExecution.objects.filter(method="bulk.plan").count() == 1


def test_a_rhythm_that_was_changed_meanwhile_is_not_undone(nightly):
    read = nightly()
    changed = change_schedule(ExportSchedule.objects.select_related("owner").get(pk=read.pk), cron="0 5 * * *")
    # The same moment, by another rhythm: what was worked out from the old one is not written.
    ExportSchedule.objects.update(next_due_at=read.next_due_at)
    assert note_due(read, now=moment("2026-01-02T02:00")) is False
    assert note_due(ExportSchedule.objects.get(pk=read.pk), now=moment("2026-01-02T02:00")) is True
    assert ExportSchedule.objects.get().next_due_at == moment("2026-01-02T05:00")
    assert changed.cron == "0 5 * * *"


def test_a_worker_that_is_lost_between_the_steps_leaves_them_to_the_next_round(world, nightly, monkeypatch):
    nightly()
    now = moment("2026-01-02T02:00")
    with monkeypatch.context() as broken:
        broken.setattr(schedule_runs, "_settle", lambda run, now: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            do_round(now=now)
    assert runs() == [("01-02T02:00", "running")]
    assert not BulkExport.objects.exists()
    do_round(now=now)
    assert BulkExport.objects.count() == 1


def test_what_goes_wrong_with_one_schedule_holds_up_no_other(world, nightly, monkeypatch):
    world.projects(1)
    nightly(keep_last=1)
    other = create_schedule(owner=world.user, name="other", export=ZIP, cron="0 3 * * *")
    ExportSchedule.objects.filter(pk=other.pk).update(next_due_at=moment("2026-01-02T03:00"))

    def refuse(schedule, now):
        raise PermissionError("the storage takes nothing away")

    monkeypatch.setattr(schedule_runs, "prune_archives", refuse)
    do_round(now=moment("2026-01-02T02:00"))
    world.work()
    with pytest.raises(PermissionError):
        do_round(now=moment("2026-01-02T03:00"))
    assert runs() == [("01-02T02:00", "running"), ("01-02T03:00", "running")]


@pytest.mark.parametrize(
    ("overlap", "during", "after"),
    [
        ("skip", ["running", "skipped"], ["completed", "skipped"]),
        ("queue", ["running", "queued"], ["completed", "running"]),
        ("replace", ["running", "queued"], ["cancelled", "running"]),
    ],
)
def test_overlaps(world, nightly, overlap, during, after):
    world.projects(2)
    nightly(overlap=overlap)
    do_round(now=moment("2026-01-02T02:00"))
    world.work(1)
    do_round(now=moment("2026-01-03T02:00"))
    assert [status for _, status in runs()] == during
    world.work()
    for minute in (1, 2):
        do_round(now=moment(f"2026-01-03T02:0{minute}"))
    assert [status for _, status in runs()] == after


def test_replacing_gives_up_all_but_the_newest(world, nightly):
    world.projects(1)
    nightly(overlap="replace")
    do_round(now=moment("2026-01-02T02:00"))
    task = TaskExecution.objects.get(method="bulk.plan")
    world.work(1)
    TaskExecution.objects.filter(method="bulk.deliver").update(status="running", ready=True)
    do_round(now=moment("2026-01-03T02:00"))
    do_round(now=moment("2026-01-04T02:00"))
    assert [status for _, status in runs()] == ["running", "skipped", "queued"]
    assert TaskExecution.objects.exclude(pk=task.pk).get().cancel_requested_at is not None


@pytest.mark.parametrize(
    ("catch_up", "expected"),
    [
        ("none", [("01-02T02:00", "skipped")]),
        ("one", [("01-02T02:00", "skipped"), ("01-05T02:00", "completed")]),
        ("all", [("01-02T02:00", "skipped"), ("01-04T02:00", "completed"), ("01-05T02:00", "completed")]),
    ],
)
def test_what_was_missed(world, nightly, catch_up, expected):
    world.projects(1)
    nightly(catch_up=catch_up, catch_up_seconds=2 * 86_400)
    for minute in range(5):
        do_round(now=moment(f"2026-01-05T09:0{minute}"))
        world.work()
    assert runs() == expected
    assert "missed" in ScheduleRun.objects.get(status="skipped").reason


def test_pause_resume_and_run_now(world, nightly):
    schedule = nightly()
    pause_schedule(schedule)
    with pytest.raises(Conflict):
        pause_schedule(schedule)
    do_round(now=moment("2026-01-05T02:00"))
    assert runs() == []
    run_now(schedule)
    do_round(now=timezone.now())
    assert [status for _, status in runs()] == ["running"]
    resumed = resume_schedule(schedule)
    assert resumed.next_due_at is not None
    assert resumed.next_due_at > timezone.now()
    with pytest.raises(Conflict):
        resume_schedule(schedule)
    delete_schedule(schedule)
    assert BulkExport.objects.get().schedule is None


def test_what_waits_its_turn_is_given_up_with_the_pause(world, nightly):
    world.projects(1)
    schedule = nightly(overlap="queue")
    do_round(now=moment("2026-01-02T02:00"))
    do_round(now=moment("2026-01-03T02:00"))
    assert [status for _, status in runs()] == ["running", "queued"]
    by_hand = run_now(schedule)
    pause_schedule(schedule)
    world.work()
    for minute in (1, 2, 3):
        do_round(now=moment(f"2026-01-03T02:0{minute}"))
    assert [status for _, status in runs()] == ["completed", "skipped", "running"]
    assert ScheduleRun.objects.get(status="running") == by_hand
    assert "paused" in ScheduleRun.objects.get(status="skipped").reason


def test_an_owner_who_has_left_fails_the_run_visibly(world, nightly):
    nightly()
    User.objects.update(is_active=False)
    do_round(now=moment("2026-01-02T02:00"))
    run = ScheduleRun.objects.get()
    assert (run.status, (run.error or {})["code"]) == ("failed", "permission_denied")


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        ({}, 4),
        ({"keep_last": 2}, 2),
        ({"keep_last": 1}, 1),
        ({"keep_days": 2}, 2),
        ({"keep_last": 3, "keep_days": 1}, 3),
        ({"keep_days": 1}, 1),
    ],
)
def test_retention_of_archives(world, nightly, keep, left):
    (project,) = world.projects(1)
    nightly(**keep)
    # An archive that somebody made outside the schedule is not the schedule's to remove.
    paths = []
    for day in range(2, 6):
        now = moment(f"2026-01-0{day}T02:00")
        world.generate(project, f"# {day}")
        do_round(now=now)
        world.work()
        RepositoryExport.objects.filter(completed_at__gt=moment("2026-02-01T00:00")).update(completed_at=now)
        do_round(now=now + timedelta(minutes=1))
        paths.append(RepositoryExport.objects.order_by("-completed_at")[0].archive_path)
    assert [Path(path).exists() for path in paths] == [False] * (4 - left) + [True] * left
    assert RepositoryExport.objects.count() == 4
    assert RepositoryExport.objects.exclude(archive_path="").count() == left


def nights(world, project, texts):
    """Let a night pass for each text, and return the paths of what was delivered of the project; "" changes nothing."""
    paths = []
    for day, text in enumerate(texts, 2):
        now = moment(f"2026-01-0{day}T02:00")
        if text:
            world.generate(project, text)
        do_round(now=now)
        world.work()
        RepositoryExport.objects.filter(completed_at__gt=moment("2026-02-01T00:00")).update(completed_at=now)
        do_round(now=now + timedelta(minutes=1))
        of_it = RepositoryExport.objects.filter(generated_project__project=project)
        paths.append(of_it.order_by("-completed_at")[0].archive_path)
    return paths


@pytest.mark.parametrize(("keep", "left"), [({"keep_last": 3}, 3), ({"keep_last": 2}, 2), ({"keep_days": 4}, 2)])
def test_an_archive_that_is_delivered_again_is_one_archive(world, nightly, keep, left):
    (project,) = world.projects(1)
    nightly(**keep)
    paths = nights(world, project, ["# a", "# b", "# c", "", ""])
    assert len(set(paths)) == 3
    assert [Path(path).exists() for path in paths[:3]] == [False] * (3 - left) + [True] * left


def test_a_project_that_always_fails_leaves_the_archives_of_the_others_to_the_retention(world, nightly):
    project, broken = world.projects(2)
    nightly(keep_last=1)

    def refuse_one(claimed):
        if claimed.method == "bulk.deliver" and claimed.project_id == broken.pk:
            raise RemoteRefused("no")
        return world.real(claimed)

    world.service = refuse_one
    paths = nights(world, project, ["# a", "# b", "# c"])
    assert {status for _, status in runs()} == {"failed"}
    assert [Path(path).exists() for path in paths] == [False, False, True]


def test_old_generations_are_archived_unless_they_are_used(world):
    project = world.project("p", "# 0")
    for number in range(1, 5):
        world.generate(project, f"# {number}")
    old = list(GeneratedProject.objects.order_by("completed_at"))
    GeneratedProject.objects.update(completed_at=moment("2026-01-01T00:00"))
    for number, generation in enumerate(old):
        GeneratedProject.objects.filter(pk=generation.pk).update(
            completed_at=moment("2026-01-01T00:00") + timedelta(hours=number)
        )
    RepositoryExport.objects.create(
        key="k", generated_project=old[1], export_type="git", status="exporting", created_by=world.user
    )
    bulk = world.start()
    world.work(1)
    bulk.items.update(generation=old[2])
    other = world.project("other", "# only one")
    GeneratedProject.objects.filter(project=other).update(completed_at=moment("2025-01-01T00:00"))
    assert archive_generations(older_than=moment("2026-01-02T00:00"), now=timezone.now()) == Removed(2)
    statuses = {generation.pk: generation for generation in GeneratedProject.objects.filter(project=project)}
    assert [statuses[generation.pk].status for generation in old] == [
        *("archived", "completed", "completed", "archived", "completed")
    ]
    assert [Path(generation.output_directory).exists() for generation in old] == [False, True, True, False, True]
    assert GeneratedProject.objects.get(project=other).status == "completed"
    assert archive_generations(older_than=moment("2026-01-02T00:00"), now=timezone.now()) == Removed(0)


def cannot_be_removed(path: Path) -> None:
    """Put something in the place of a file that no file's removal takes away."""
    path.unlink(missing_ok=True)
    (path / "something").mkdir(parents=True)


def test_what_cannot_be_archived_holds_up_no_other_and_is_tried_again(world):
    project = world.project("p", "# 0")
    for number in range(1, 4):
        world.generate(project, f"# {number}")
    first, second, third, _ = project.generated_projects.order_by("completed_at")
    packed = [
        package(project=project, user=world.user, execution_id=None, generation_id=str(generation.pk), format="zip")
        for generation in (first, second)
    ]
    cannot_be_removed(Path(packed[0]["path"]))
    now = timezone.now()
    assert archive_generations(older_than=now, now=now) == Removed(2, failed=1)
    assert Archive.objects.get().generated_project == first
    assert not Path(packed[1]["path"]).exists()
    assert [Path(row.output_directory).exists() for row in (first, second, third)] == [True, False, False]
    shutil.rmtree(packed[0]["path"])
    assert archive_generations(older_than=now, now=now) == Removed(1)
    assert not Archive.objects.exists()


def test_a_night_that_cannot_archive_everything_says_so(world):
    from importlib import import_module

    from django.apps import apps

    import_module("backend.apps.exports.migrations.0003_nightly_archiving").add(apps, None)
    project = world.project("p", "# 0")
    world.generate(project, "# 1")
    first = project.generated_projects.order_by("completed_at")[0]
    packed = package(project=project, user=world.user, execution_id=None, generation_id=str(first.pk), format="zip")
    GeneratedProject.objects.filter(pk=first.pk).update(completed_at=moment("2025-01-01T00:00"))
    cannot_be_removed(Path(packed["path"]))
    ExportSchedule.objects.update(next_due_at=timezone.now())
    for _ in range(3):
        do_round(now=timezone.now())
    assert ScheduleRun.objects.get().status == "running"
    ScheduleRun.objects.update(created_at=timezone.now() - timedelta(hours=2))
    do_round(now=timezone.now())
    run = ScheduleRun.objects.get()
    assert (run.status, (run.error or {})["code"]) == ("failed", "archives_not_removed")


def test_an_archive_that_cannot_be_removed_holds_up_no_other(world, nightly):
    project, other = world.projects(2)
    nightly(keep_last=1)
    paths = nights(world, project, ["# a"])
    cannot_be_removed(Path(paths[0]))
    with_file = RepositoryExport.objects.get(generated_project__project=other).archive_path
    for each in (project, other):
        world.generate(each, "# b")
    do_round(now=moment("2026-01-03T02:00"))
    world.work()
    RepositoryExport.objects.filter(completed_at__gt=moment("2026-02-01T00:00")).update(
        completed_at=moment("2026-01-03T02:00")
    )
    do_round(now=moment("2026-01-03T02:01"))
    assert not Path(with_file).exists()
    assert [status for _, status in runs()] == ["completed", "running"]
    shutil.rmtree(paths[0])
    do_round(now=moment("2026-01-03T02:02"))
    run = ScheduleRun.objects.order_by("due_at").last()
    assert run is not None
    assert (run.status, run.result) == ("completed", {"archives_removed": 2})


def test_the_product_brings_a_schedule_for_old_generations(world):
    from importlib import import_module

    from django.apps import apps

    import_module("backend.apps.exports.migrations.0003_nightly_archiving").add(apps, None)
    schedule = ExportSchedule.objects.get()
    assert (schedule.work, schedule.keep_days, schedule.owner) == ("archive_generations", 30, None)
    with pytest.raises(Conflict, match="belongs to the product"):
        delete_schedule(schedule)
    project = world.project("p", "# 0")
    world.generate(project, "# 1")
    GeneratedProject.objects.filter(pk=project.generated_projects.order_by("completed_at")[0].pk).update(
        completed_at=moment("2025-01-01T00:00")
    )
    ExportSchedule.objects.update(next_due_at=timezone.now())
    for _ in range(3):
        do_round(now=timezone.now())
    run = ScheduleRun.objects.get()
    assert (run.status, run.result) == ("completed", {"generations_archived": 1})


def test_an_execution_that_runs_keeps_its_generation(world):
    project = world.project("p", "# 0")
    world.generate(project, "# 1")
    first = project.generated_projects.order_by("completed_at")[0]
    from backend.apps.workflows.definitions.check import check_definition
    from backend.apps.workflows.services import save_definition

    step = {"id": "a", "type": "api_call", "config": {"method": "GET", "endpoint": "/x/"}}
    version = save_definition(check_definition({"name": "w", "steps": [step]}))
    execution = WorkflowExecution.objects.create(
        workflow=version.workflow, version=version, user=world.user, status="running"
    )
    GeneratedProject.objects.filter(pk=first.pk).update(
        completed_at=moment("2025-01-01T00:00"), workflow_execution=execution
    )
    assert archive_generations(older_than=timezone.now(), now=timezone.now()) == Removed(0)
    WorkflowExecution.objects.update(status="completed")
    assert archive_generations(older_than=timezone.now(), now=timezone.now()) == Removed(1)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"cron": "x"}, "cron"),
        ({"overlap": "maybe"}, "overlap"),
        ({"catch_up": "some"}, "catch_up"),
        ({"keep_last": 0}, "keep_last"),
        ({"keep_last": 3_000_000_000}, "keep_last"),
        ({"keep_days": 1_000_000}, "keep_days"),
        ({"catch_up_seconds": 3_600_000_000}, "catch_up_seconds"),
        ({"notify_url": "http://169.254.169.254/x"}, "notify_url"),
        ({"notify_url": "https://user:pw@example.org/"}, "notify_url"),
        ({"notify_email": ["nobody"]}, "notify_email"),
        ({"export": {"selection": {"kind": "x"}, "export_type": "zip"}}, "selection"),
    ],
)
def test_what_is_wrong_is_said_and_makes_nothing(nightly, wanted, field):
    with pytest.raises(InvalidInput) as refused:
        nightly(**wanted)
    assert refused.value.place["field"] == field
    assert not ExportSchedule.objects.exists()


def test_a_name_is_taken_once(nightly):
    nightly()
    with pytest.raises(Conflict):
        nightly()
