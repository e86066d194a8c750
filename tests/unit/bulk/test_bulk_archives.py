"""Small archives that are delivered together: one message for many, each with a task and a record of its own."""

from __future__ import annotations

import hashlib
import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from backend.apps.authentication.grants import grant_of
from backend.apps.authentication.models import ServiceToken, User
from backend.apps.authentication.services.service_tokens import add_token
from backend.apps.exports.models import RepositoryExport
from backend.apps.exports.services import bulk_archives
from backend.apps.exports.services.bulk_advance import advance, advance_all
from backend.apps.exports.services.bulk_archives import deliver_together
from backend.apps.exports.services.bulk_exports import cancel_bulk_export, retry_bulk_export
from backend.apps.projects.models import Archive, GeneratedProject, Organisation, Project
from backend.apps.projects.services import archive_storage, organisation_limits, packaging
from backend.apps.workflows.execution.claim import claim
from backend.apps.workflows.execution.reconcile import reconcile
from backend.apps.workflows.execution.together import claim_together
from backend.apps.workflows.models import TaskExecution
from backend.errors import Conflict
from tests.unit.bulk.bulk_world import again, items_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def one_message_for_many(world, monkeypatch):
    monkeypatch.setattr(bulk_archives, "TOGETHER", 4)
    world.together = True


def test_one_message_stands_for_many(world):
    world.projects(10)
    bulk = world.start(export_type="tar.gz")
    messages = world.work()
    # One that plans, and those for the items 0, 4 and 8.
    assert messages == 4
    assert again(bulk).status == "completed"
    assert set(items_of(bulk).values()) == {"completed"}
    assert TaskExecution.objects.filter(method="bulk.deliver", status="completed", attempt=1).count() == 10


def test_one_message_stands_for_those_that_changed_however_far_apart(world):
    projects = sorted(world.projects(20), key=lambda project: project.pk)
    world.start()
    world.work()
    for project in projects[::6]:
        GeneratedProject.objects.filter(project=project).update(content_digest="changed")
    bulk = world.start()
    assert world.work() == 2
    assert sorted(items_of(bulk).values()) == ["completed"] * 4 + ["skipped"] * 16


@pytest.mark.parametrize(("lease", "had"), [(60, ["bulk:4", "bulk:5"]), (-1, [])])
def test_a_message_stands_for_the_others_when_its_own_item_is_seen_to(world, lease, had):
    world.projects(6)
    bulk = world.start()
    world.work(1)
    keys = {f"bulk:{position}": f"bulk:{bulk.pk}:{position}" for position in range(6)}
    third = TaskExecution.objects.get(key=keys["bulk:3"])
    until = timezone.now() + timedelta(seconds=lease)
    TaskExecution.objects.filter(pk=third.pk).update(status="running", attempt=1, lease_expires_at=until)
    # Where nobody lives who has it, it is to be taken over by itself.
    assert deliver_together(third.pk, worker="w") == [TaskExecution.objects.get(key=keys[name]).pk for name in had]


def test_each_has_the_record_that_it_would_have_by_itself(world, monkeypatch):
    world.projects(1)
    together = world.start()
    world.work()
    Archive.objects.all().delete()
    world.together = False
    by_itself = world.start(skip_unchanged=False)
    world.work()
    one, other = (RepositoryExport.objects.get(key=f"bulk:{bulk.pk}:0") for bulk in (together, by_itself))
    for name in ("export_type", "archive_path", "archive_size", "commit", "status", "created_by_id", "repository_name"):
        assert getattr(one, name) == getattr(other, name)
    assert set(one.config["result"]) == set(other.config["result"])
    results = [TaskExecution.objects.get(key=row.key).result for row in (one, other)]
    assert set(results[0] or {}) == set(results[1] or {"another"})
    assert hashlib.sha256(Path(one.archive_path).read_bytes()).hexdigest() == one.config["result"]["digest"]


def test_one_that_cannot_be_delivered_has_no_company(world, monkeypatch):
    world.projects(4)
    broken = GeneratedProject.objects.get(project__slug="p2")
    write = packaging.write

    def refuse(**wanted):
        if wanted["generation"].pk == broken.pk:
            raise Conflict("no")
        return write(**wanted)

    monkeypatch.setattr(packaging, "write", refuse)
    bulk = world.start()
    world.work()
    assert items_of(bulk) == {"p0": "completed", "p1": "completed", "p2": "failed", "p3": "completed"}
    assert again(bulk).status == "failed"
    monkeypatch.setattr(packaging, "write", write)
    retry_bulk_export(again(bulk))
    world.work()
    assert again(bulk).status == "completed"
    assert RepositoryExport.objects.filter(status="completed").count() == 4


def test_one_that_is_cancelled_and_not_delivered_together_ends_at_once(world, monkeypatch):
    world.projects(3)
    bulk = world.start()
    world.work(1)

    def cancelled_meanwhile(found, deliveries):
        cancel_bulk_export(again(found))
        return set()

    monkeypatch.setattr("backend.apps.exports.services.bulk_archives._deliver", cancelled_meanwhile)
    world.work()
    assert again(bulk).status == "cancelled"
    assert set(items_of(bulk).values()) == {"cancelled"}


def test_a_key_that_somebody_else_has_used_costs_its_company_nothing(world):
    world.projects(4)
    bulk = world.start()
    world.work(1)
    taken = RepositoryExport.objects.create(
        key=f"bulk:{bulk.pk}:2",
        generated_project=GeneratedProject.objects.get(project__slug="p2"),
        export_type="tar",
        config={"request": {"format": "tar"}},
        status="completed",
        created_by=bulk.created_by,
    )
    world.work()
    assert sorted(items_of(bulk).values()) == ["completed", "completed", "completed", "failed"]
    taken.refresh_from_db()
    assert taken.export_type == "tar"
    assert RepositoryExport.objects.count() == 4


def test_one_that_the_disk_does_not_take_goes_by_itself(world, monkeypatch):
    world.projects(4)
    unlucky = str(GeneratedProject.objects.get(project__slug="p2").pk)
    fsync, refused = os.fsync, list[int]()

    def full_for_a_moment(descriptor):
        if unlucky in os.readlink(f"/proc/self/fd/{descriptor}") and not refused:
            refused.append(descriptor)
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full_for_a_moment)
    bulk = world.start()
    messages = world.work()
    assert refused
    # One that plans, one for the four, and one for that which is tried by itself.
    assert messages == 3
    assert set(items_of(bulk).values()) == {"completed"}
    assert TaskExecution.objects.filter(method="bulk.deliver").values_list("attempt").distinct().count() == 2
    for archive in Archive.objects.all():
        assert archive_storage.is_whole(archive)


def test_they_go_together_into_a_storage_that_is_no_folder_too(world, settings):
    settings.STORAGES = {
        **settings.STORAGES,
        archive_storage.ALIAS: {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    }
    world.projects(4)
    bulk = world.start()
    assert world.work() == 2
    assert set(items_of(bulk).values()) == {"completed"}
    for archive in Archive.objects.all():
        assert archive_storage.is_whole(archive)


def test_nobody_exports_what_they_may_not_change_any_more(world):
    world.projects(3)
    bulk = world.start()
    world.work(1)
    User.objects.update(is_superuser=False)
    somebody = User.objects.create(username="somebody")
    Project.objects.filter(slug="p1").update(owner=somebody)
    world.work()
    assert items_of(bulk) == {"p0": "completed", "p1": "failed", "p2": "completed"}
    # Nothing was made of what is not theirs.
    assert not Archive.objects.filter(generated_project__project__slug="p1").exists()


def started_with_a_token(world, scopes):
    """Start a bulk export of three projects as a service token does, and return both, once it is planned."""
    token = add_token(user=world.user, name="ci", scopes=scopes).row
    world.projects(3)
    world.user.grant = grant_of(token)
    bulk = world.start()
    world.user.grant = None
    world.work(1)
    return token, bulk


def tries():
    return dict(TaskExecution.objects.filter(method="bulk.deliver").values_list("key", "attempt"))


@pytest.mark.parametrize("operator", [True, False])
def test_what_a_token_started_is_delivered_together_as_well(world, operator):
    User.objects.update(is_superuser=operator)
    world.user.refresh_from_db()
    _, bulk = started_with_a_token(world, ["run"])
    assert all(TaskExecution.objects.filter(method="bulk.deliver").values_list("grant", flat=True))
    # All with the one message that was sent: what is handed back has another one.
    assert world.work() == 1
    assert items_of(bulk) == {"p0": "completed", "p1": "completed", "p2": "completed"}
    assert set(tries().values()) == {1}


def test_a_token_delivers_together_what_its_user_may_change_and_nothing_else(world):
    User.objects.update(is_superuser=False)
    world.user.refresh_from_db()
    _, bulk = started_with_a_token(world, ["run"])
    Project.objects.filter(slug="p1").update(owner=User.objects.create(username="somebody"))
    world.work()
    assert items_of(bulk) == {"p0": "completed", "p1": "failed", "p2": "completed"}
    assert not Archive.objects.filter(generated_project__project__slug="p1").exists()


def read_only(token):
    # Scopes never change; what a task has kept is all that is asked.
    kept = {"scopes": ["read"], "project": None, "token": str(token.pk)}
    TaskExecution.objects.filter(method="bulk.deliver").update(grant=kept)


def damaged(token):
    TaskExecution.objects.filter(method="bulk.deliver").update(grant={"scopes": "all"})


def expired(token):
    ServiceToken.objects.filter(pk=token.pk).update(expires_at=timezone.now())


@pytest.mark.parametrize("end", [lambda token: token.delete(), expired, read_only, damaged])
def test_with_a_token_that_is_good_for_it_no_more_nothing_is_delivered(world, end):
    token, bulk = started_with_a_token(world, ["run"])
    end(token)
    world.work()
    assert set(items_of(bulk).values()) == {"failed"}
    assert not Archive.objects.exists()


def test_a_token_for_one_project_delivers_no_other_one(world):
    token, bulk = started_with_a_token(world, ["run"])
    mine = Project.objects.get(slug="p1")
    kept = {"scopes": ["read", "run"], "project": str(mine.pk), "token": str(token.pk)}
    TaskExecution.objects.filter(method="bulk.deliver").update(grant=kept)
    world.work()
    assert items_of(bulk) == {"p0": "failed", "p1": "completed", "p2": "failed"}


def test_a_large_project_has_a_message_of_its_own(world, monkeypatch):
    # Items come in the order of their projects' ids.
    second = sorted(world.projects(4), key=lambda project: project.pk)[1]
    GeneratedProject.objects.filter(project=second).update(total_size=bulk_archives.SMALL + 1)
    world.start()
    world.work(1)
    assert len(world.messages) == 2
    world.work(1)
    statuses = TaskExecution.objects.filter(method="bulk.deliver").order_by("key").values_list("status", flat=True)
    assert list(statuses) == ["completed", "pending", "completed", "completed"]


def test_small_ones_that_are_much_together_have_several_messages(world, monkeypatch):
    world.projects(4)
    monkeypatch.setattr(bulk_archives, "SMALL_TOGETHER", 10)
    GeneratedProject.objects.update(total_size=6)
    bulk = world.start()
    assert world.work() == 5
    assert again(bulk).status == "completed"


def test_an_archive_that_is_there_is_kept_and_one_that_is_damaged_made_anew(world):
    world.projects(2)
    world.start()
    world.work()
    whole, damaged = Archive.objects.order_by("pk")
    before = Path(archive_storage.real_path(whole.path)).stat().st_mtime_ns
    Path(archive_storage.real_path(damaged.path)).write_bytes(b"x")
    bulk = world.start(skip_unchanged=False)
    world.work()
    assert again(bulk).status == "completed"
    assert Path(archive_storage.real_path(whole.path)).stat().st_mtime_ns == before
    assert all(archive_storage.is_whole(archive) for archive in Archive.objects.all())
    assert Archive.objects.count() == 2


def test_a_worker_that_is_lost_with_many_costs_no_second_delivery(world):
    world.projects(4)
    bulk = world.start()
    world.work(1)
    tasks = list(TaskExecution.objects.filter(method="bulk.deliver").values_list("pk", flat=True))
    claim_together(tasks, worker="gone", now=timezone.now() - timedelta(hours=1))
    world.messages.clear()
    reconcile(now=timezone.now())
    world.work()
    advance_all(now=timezone.now())
    assert again(bulk).status == "completed"
    assert RepositoryExport.objects.count() == 4


def test_a_message_that_is_lost_leaves_its_many_to_the_reconciler(world):
    world.projects(4)
    bulk = world.start()
    world.work(1)
    world.messages.clear()
    reconcile(now=timezone.now() + timedelta(minutes=1))
    assert len(world.messages) == 4
    world.work()
    assert again(bulk).status == "completed"
    assert RepositoryExport.objects.count() == 4


def test_what_another_worker_has_is_left_to_it(world):
    world.projects(3)
    bulk = world.start()
    world.work(1)
    head, other, _ = TaskExecution.objects.filter(method="bulk.deliver").order_by("key").values_list("pk", flat=True)
    claim(other, worker="another", now=timezone.now())
    had = deliver_together(head, worker="w")
    assert (len(had), other in had) == (2, False)
    assert deliver_together(head, worker="w") == []
    advance(bulk.pk, now=timezone.now())
    assert sorted(items_of(bulk).values()) == ["completed", "completed", "in_flight"]


def test_what_was_overtaken_is_not_recorded_twice(world, monkeypatch):
    world.projects(2)
    bulk = world.start()
    world.work(1)
    write = packaging.write

    def overtaken(**wanted):
        TaskExecution.objects.filter(method="bulk.deliver").update(attempt=2)
        return write(**wanted)

    monkeypatch.setattr(packaging, "write", overtaken)
    world.work(1)
    assert RepositoryExport.objects.count() == 0
    assert TaskExecution.objects.filter(method="bulk.deliver", status="running").count() == 2
    assert again(bulk).status == "running"


def test_a_workspace_that_is_gone_is_packaged_from_the_store(world):
    world.projects(2)
    for generation in GeneratedProject.objects.all():
        shutil.rmtree(generation.output_directory)
    bulk = world.start()
    world.work()
    assert again(bulk).status == "completed"


def test_archives_that_are_made_together_count_together(world, monkeypatch):
    projects = world.projects(4)
    organisation = Organisation.objects.create(name="o", slug="o")
    Project.objects.filter(pk__in=[project.pk for project in projects]).update(organisation=organisation)
    most = organisation_limits.stored(organisation.pk) + 15_000
    monkeypatch.setitem(organisation_limits.ALLOWANCES, "free", organisation_limits.Allowance(1, most))
    world.start(export_type="tar")
    world.work()
    assert Archive.objects.count() == 1
    assert organisation_limits.stored(organisation.pk) <= most
