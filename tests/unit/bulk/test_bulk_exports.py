"""Bulk exports: done within a window, and what does not change is not delivered again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.keeping import add_credential
from backend.apps.exports.models import BulkExport, BulkExportItem, LastDelivery, RepositoryExport
from backend.apps.exports.services.bulk_advance import advance, advance_all
from backend.apps.exports.services.bulk_exports import (
    cancel_bulk_export,
    pause_bulk_export,
    resume_bulk_export,
    retry_bulk_export,
)
from backend.apps.exports.services.bulk_forecast import outlook
from backend.apps.projects.models import ProjectLabel, ProjectMembership
from backend.apps.workflows.execution.claim import claim
from backend.apps.workflows.execution.reconcile import reconcile
from backend.apps.workflows.models import TaskExecution
from backend.apps.workflows.services import resolve_task
from backend.errors import Conflict, InDoubt, InvalidInput, NotFound, RateLimited, RemoteRefused
from tests.unit.bulk.bulk_world import again, items_of, tasks_in_flight

pytestmark = pytest.mark.django_db
Item = BulkExportItem.Status


def test_everything_is_delivered_and_recorded(world):
    projects = world.projects(5)
    bulk = world.start()
    world.work()
    bulk = again(bulk)
    assert (bulk.status, bulk.total) == ("completed", 5)
    assert set(items_of(bulk).values()) == {"completed"}
    assert RepositoryExport.objects.filter(status="completed", export_type="zip").count() == 5
    assert set(LastDelivery.objects.values_list("project_id", flat=True)) == {project.pk for project in projects}
    for item in BulkExportItem.objects.select_related("export"):
        assert item.export is not None
        assert item.export.generated_project_id == item.generation_id
        assert item.content_digest


def test_what_has_not_changed_is_skipped_and_said_so(world):
    projects = world.projects(6)
    world.start()
    world.work()
    world.generate(projects[2], "# changed")
    world.project("new")
    world.project("empty", text=None)
    world.served.clear()
    bulk = world.start()
    world.work()
    assert again(bulk).status == "completed"
    assert sorted(slug for slug, status in items_of(bulk).items() if status == "completed") == ["new", "p2"]
    reasons = dict(
        BulkExportItem.objects.filter(bulk_export=bulk, status="skipped").values_list("project_slug", "reason")
    )
    assert reasons == {
        "p0": "unchanged",
        "p1": "unchanged",
        "p3": "unchanged",
        "p4": "unchanged",
        "p5": "unchanged",
    } | {"empty": "nothing_generated"}
    # The work of two: one plan and two deliveries.
    assert len(world.served) == 3


@pytest.mark.parametrize("change", ["another destination", "asked for", "delivery gone"])
def test_what_is_delivered_all_the_same(world, change):
    world.projects(2)
    world.start()
    world.work()
    if change == "delivery gone":
        RepositoryExport.objects.all().delete()
    bulk = world.start(
        export_type="tar" if change == "another destination" else "zip", skip_unchanged=change != "asked for"
    )
    world.work()
    assert set(items_of(bulk).values()) == {"completed"}


def test_changed_only_has_no_items_for_the_others(world):
    projects = world.projects(4)
    world.start()
    world.work()
    world.generate(projects[1], "# changed")
    bulk = world.start({"kind": "all", "changed_only": True})
    world.work()
    assert items_of(bulk) == {"p1": "completed"}
    empty = world.start({"kind": "all", "changed_only": True})
    world.work()
    assert (again(empty).status, again(empty).total) == ("completed", 0)


def test_a_window_is_in_flight_and_no_more(world):
    world.projects(23)
    bulk = world.start(window=4)
    world.work(1)
    assert tasks_in_flight() == 4
    seen = set()
    while world.messages:
        world.work(1)
        seen.add(tasks_in_flight())
    assert max(seen) <= 4
    assert world.most_waiting <= 4
    # Never empty before the end: the window is filled again before it has run dry.
    assert again(bulk).status == "completed"


def test_a_lost_round_is_made_good_by_the_clock(world, monkeypatch):
    world.projects(9)
    bulk = world.start(window=2)
    world.work(1)
    monkeypatch.setattr("tests.unit.bulk.bulk_world.advance_after", lambda task_id: None)
    rounds = 0
    while again(bulk).status == "running":
        world.work()
        advance_all(now=timezone.now())
        rounds += 1
    assert again(bulk).status == "completed"
    assert rounds == 5


def test_a_lost_worker_costs_no_second_delivery(world):
    world.projects(3)
    bulk = world.start(window=3)
    world.work(1)
    lost = world.messages.popleft()
    claim(lost, worker="gone", now=timezone.now() - timedelta(hours=1))
    world.work()
    assert again(bulk).status == "running"
    reconcile(now=timezone.now())
    world.work()
    advance(bulk.pk, now=timezone.now())
    assert again(bulk).status == "completed"
    assert RepositoryExport.objects.count() == 3


def test_pause_holds_back_what_waits_and_resume_goes_on(world):
    world.projects(6)
    bulk = world.start(window=3)
    world.work(2)
    paused = pause_bulk_export(again(bulk))
    assert paused.paused_at is not None
    assert tasks_in_flight() == 0
    world.work()
    advance_all(now=timezone.now())
    statuses = list(items_of(bulk).values())
    assert statuses.count("completed") == 1
    assert statuses.count("pending") == 5
    resume_bulk_export(again(bulk))
    world.work()
    assert again(bulk).status == "completed"
    assert RepositoryExport.objects.count() == 6


def test_what_ran_at_the_pause_and_waits_for_a_limit_since_is_held_back_too(world):
    world.projects(2)
    bulk = world.start(window=2)
    world.work(1)

    def meet_a_limit(claimed):
        pause_bulk_export(again(bulk))
        raise RateLimited("later", retry_after=0.0)

    world.service = meet_a_limit
    world.work(1)
    world.service = world.real
    advance_all(now=timezone.now())
    reconcile(now=timezone.now() + timedelta(hours=1))
    world.work()
    assert set(items_of(bulk).values()) == {"pending"}
    assert not RepositoryExport.objects.exists()
    resume_bulk_export(again(bulk))
    world.work()
    assert again(bulk).status == "completed"


def test_cancel_ends_what_waits(world):
    world.projects(6)
    bulk = world.start(window=3)
    world.work(2)
    cancel_bulk_export(again(bulk))
    world.work()
    assert again(bulk).status == "cancelled"
    assert sorted(items_of(bulk).values()) == ["cancelled"] * 5 + ["completed"]


def test_cancel_waits_for_what_runs(world):
    world.projects(3)
    bulk = world.start(window=3)
    world.work(1)
    running = world.messages.popleft()
    claim(running, worker="w2", now=timezone.now())
    cancel_bulk_export(again(bulk))
    assert again(bulk).status == "running"
    assert TaskExecution.objects.get(pk=running).cancel_requested_at is not None
    TaskExecution.objects.filter(pk=running).update(status="cancelled")
    advance_all(now=timezone.now())
    assert again(bulk).status == "cancelled"


def test_failed_items_are_told_and_tried_again(world):
    world.projects(4)
    bulk = world.start(window=2)

    def refuse_two(claimed):
        if claimed.method == "bulk.deliver" and BulkExportItem.objects.get(pk=claimed.arguments["item"]).position in {
            1,
            2,
        }:
            raise RemoteRefused("not today")
        return world.real(claimed)

    world.service = refuse_two
    world.work()
    assert again(bulk).status == "failed"
    failed = BulkExportItem.objects.filter(bulk_export=bulk, status="failed")
    assert [(item.error or {})["message"] for item in failed] == ["not today"] * 2
    world.service, keys = world.real, list(world.served)
    retry_bulk_export(again(bulk))
    world.served.clear()
    world.work()
    assert again(bulk).status == "completed"
    assert set(world.served) < set(keys)
    assert len(world.served) == 2


def doubt(claimed):
    raise InDoubt("lost answer")


def test_what_is_in_doubt_is_not_repeated(world):
    world.projects(1)
    bulk = world.start()
    world.work(1)

    world.service = doubt
    world.work()
    assert (again(bulk).status, items_of(bulk)) == ("failed", {"p0": "in_doubt"})
    with pytest.raises(Conflict, match="in doubt"):
        retry_bulk_export(again(bulk))
    task = TaskExecution.objects.get(method="bulk.deliver")
    resolve_task(task_id=task.pk, user=world.user, outcome="done", result=None)
    retry_bulk_export(again(bulk))
    assert (again(bulk).status, items_of(bulk)) == ("completed", {"p0": "completed"})


def test_what_was_in_doubt_goes_on_at_once_when_a_person_has_it_tried_once_more(world):
    world.projects(1)
    bulk = world.start()
    world.work(1)

    world.service = doubt
    world.work()
    world.service = world.real
    task = TaskExecution.objects.get(method="bulk.deliver")
    resolve_task(task_id=task.pk, user=world.user, outcome="retry", result=None)
    retry_bulk_export(again(bulk))
    assert (again(bulk).status, items_of(bulk)) == ("running", {"p0": "in_flight"})
    world.work()
    assert (again(bulk).status, items_of(bulk)) == ("completed", {"p0": "completed"})


def test_the_same_key_starts_once(world):
    first = world.start(key="k")
    assert world.start(key="k").pk == first.pk
    with pytest.raises(Conflict):
        world.start(key="k", export_type="tar")
    assert BulkExport.objects.count() == 1


def test_selections(world):
    other = User.objects.create(username="other")
    mine, theirs = world.project("mine"), world.project("theirs", owner=other)
    ProjectLabel.objects.create(project=mine, name="nightly")
    for selection, slugs in (
        ({"kind": "all"}, {"mine", "theirs"}),
        ({"kind": "owner", "owner": "other"}, {"theirs"}),
        ({"kind": "label", "label": "nightly"}, {"mine"}),
        ({"kind": "label", "label": "none"}, set()),
        ({"kind": "list", "projects": ["mine", str(theirs.pk)]}, {"mine", "theirs"}),
    ):
        bulk = world.start(selection, skip_unchanged=False)
        world.work()
        assert set(items_of(bulk)) == slugs


@pytest.mark.parametrize("role", [None, "viewer", "author"])
def test_nobody_exports_what_they_may_not_change(world, role):
    theirs = world.project("theirs")
    world.user = User.objects.create(username="member")
    world.project("own")
    if role:
        ProjectMembership.objects.create(project=theirs, user=world.user, role=role)
    bulk = world.start()
    world.work()
    assert set(items_of(bulk)) == ({"own", "theirs"} if role == "author" else {"own"})
    if role != "author":
        with pytest.raises(NotFound):
            world.start({"kind": "list", "projects": ["theirs"]})


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"selection": {"kind": "some"}}, "selection"),
        ({"selection": {"kind": "all", "owner": "x"}}, "selection"),
        ({"selection": {"kind": "all", "changed_only": "yes"}}, "selection.changed_only"),
        ({"selection": {"kind": "label"}}, "selection.label"),
        ({"selection": {"kind": "list", "projects": []}}, "selection.projects"),
        ({"selection": {"kind": "list", "projects": ["../x"]}}, "selection.projects"),
        ({"export_type": "rar"}, "export_type"),
        ({"destination": {"credential": "c"}}, "destination"),
        ({"export_type": "github", "destination": {"repository_name": "{slug}"}}, "destination.credential"),
        (
            {"export_type": "github", "destination": {"credential": "c", "repository_name": "one"}},
            "destination.repository_name",
        ),
        ({"export_type": "git", "destination": {"repository_name": "{slug.__class__}"}}, "destination.repository_name"),
        ({"export_type": "git", "destination": {"repository_name": "{slug}", "token": "x"}}, "destination.token"),
        ({"window": 0}, "window"),
        ({"window": True}, "window"),
    ],
)
def test_what_is_wrong_is_said_and_starts_nothing(world, wanted, field):
    with pytest.raises(InvalidInput) as refused:
        world.start(**wanted)
    assert refused.value.place["field"] == field
    assert not BulkExport.objects.exists()
    assert not TaskExecution.objects.exists()


def test_a_plan_takes_a_credential_that_is_shared_with_a_project(world):
    owner, author = (User.objects.create_user(name) for name in ("ada", "bob"))
    project = world.project("p0", owner=owner)
    ProjectMembership.objects.create(project=project, user=author, role="author")
    add_credential(user=owner, name="team-bot", host="github", secret=Secret("ghp_x"), project_id=project.pk)
    wish = {"selection": {"kind": "all"}, "export_type": "github"}
    where = {"credential": "team-bot", "repository_name": "backup-{slug}"}
    assert outlook(user=author, now=timezone.now(), destination=where, **wish).deliveries == 1
    with pytest.raises(NotFound, match="no credential"):
        outlook(user=author, now=timezone.now(), destination=where | {"credential": "other"}, **wish)


def test_repositories_are_named_by_the_pattern(world, tmp_path):
    world.projects(2)
    bulk = world.start(export_type="git", destination={"repository_name": "backup/{owner}-{slug}"})
    world.work()
    assert again(bulk).status == "completed"
    assert sorted(path.name for path in (tmp_path / "repositories" / "backup").iterdir()) == [
        "owner-p0.git",
        "owner-p1.git",
    ]


def test_the_generation_that_was_planned_is_delivered(world):
    (project,) = world.projects(1)
    bulk = world.start()
    world.work(1)
    planned = project.generated_projects.get()
    world.generate(project, "# newer")
    world.work()
    export = RepositoryExport.objects.get()
    assert export.generated_project_id == planned.pk
    assert again(bulk).status == "completed"
    # The newer one is the next export's.
    bulk = world.start()
    world.work()
    assert items_of(bulk) == {"p0": "completed"}
