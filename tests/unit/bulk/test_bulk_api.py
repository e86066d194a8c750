"""Bulk exports and schedules over REST, and the admin pages."""

from __future__ import annotations

import json

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from backend.apps.authentication.models import User
from backend.apps.exports.models import BulkExport, ExportSchedule
from backend.apps.exports.services.schedules import create_schedule
from backend.apps.workflows.execution.run import execute

pytestmark = pytest.mark.django_db
BULK, SCHEDULES = "/api/v1/bulk-exports/", "/api/v1/export-schedules/"
WISH = {"selection": {"kind": "all"}, "export_type": "zip"}


def client_of(user: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


@pytest.fixture
def client(world):
    world.user = User.objects.create_user("ada")
    ExportSchedule.objects.all().delete()
    return client_of(world.user)


def test_from_plan_to_report(client, world):
    world.projects(3)
    world.project("theirs", owner=User.objects.create_user("bob"))
    assert client.post(f"{BULK}plan/", WISH).data["deliveries"] == 3
    started = client.post(BULK, WISH | {"name": "night"})
    assert (started.status_code, started["Location"]) == (201, f"{BULK}{started.data['id']}/")
    where = started["Location"]
    assert client.get(where).data["standing"] == "planning"
    world.work()
    told = client.get(where).data
    assert (told["status"], told["percent"], told["counts"]["completed"]) == ("completed", 100, 3)
    items = client.get(f"{where}items/", {"status": "completed", "page_size": 2}).data
    assert (items["count"], len(items["results"])) == (3, 2)
    assert [item["project"] for item in client.get(f"{where}items/", {"search": "P2"}).data["results"]] == ["p2"]
    assert client.get(f"{where}items/", {"status": "odd"}).status_code == 400
    report = client.get(f"{where}report/")
    assert len(json.loads(b"".join(report.streaming_content))["items"]) == 3
    lines = client.get(f"{where}report/", {"report": "csv"})
    assert (lines["Content-Type"], len(b"".join(lines.streaming_content).splitlines())) == ("text/csv", 4)
    assert client.get(BULK).data["count"] == 1


def test_an_item_says_how_its_task_has_ended_before_the_next_round(client, world):
    world.projects(2)
    where = client.post(BULK, WISH)["Location"]
    world.work(1)
    execute(world.messages.popleft(), service=world.real, worker="w1")
    for status in ("completed", "in_flight"):
        rows = client.get(f"{where}items/", {"status": status}).data["results"]
        assert [row["status"] for row in rows] == [status]


def test_a_list_of_schedules_costs_the_same_for_many(client, world):
    for number in range(4):
        wish = {"name": f"s{number}", "cron": "0 2 * * *", "export": WISH}
        assert client.post(f"{client.post(SCHEDULES, wish)['Location']}run/").status_code == 202
        with CaptureQueriesContext(connection) as cost:
            rows = client.get(SCHEDULES).data["results"]
        assert [len(row["runs"]) for row in rows] == [1] * (number + 1)
        if number == 0:
            one = len(cost)
    assert len(cost) == one


def test_a_list_of_bulk_exports_costs_the_same_for_many(client, world, django_assert_num_queries):
    world.projects(2)
    client.post(BULK, WISH)
    world.work()
    with CaptureQueriesContext(connection) as one:
        assert client.get(BULK).data["results"][0]["percent"] == 100
    cost = len(one)
    for _ in range(3):
        client.post(BULK, WISH)
        world.work()
    with django_assert_num_queries(cost):
        assert [row["counts"]["skipped"] for row in client.get(BULK).data["results"]] == [2, 2, 2, 0]


def test_control(client, world):
    world.projects(2)
    where = client.post(BULK, WISH)["Location"]
    world.work(1)
    assert client.post(f"{where}pause/").data["standing"] == "paused"
    assert client.post(f"{where}pause/").status_code == 409
    assert client.post(f"{where}resume/").data["standing"] == "running"
    assert client.post(f"{where}cancel/").data["status"] == "cancelled"
    assert client.post(f"{where}retry/").status_code == 409


def test_schedules(client, world):
    made = client.post(SCHEDULES, {"name": "nightly", "cron": "0 2 * * *", "export": WISH, "keep_last": 3})
    assert (made.status_code, len(made.data["next_times"])) == (201, 5)
    where = made["Location"]
    assert client.post(f"{where}pause/").data["enabled"] is False
    assert client.post(f"{where}resume/").data["enabled"] is True
    assert client.post(f"{where}run/").status_code == 202
    assert client.get(where).data["runs"][0]["by_hand"] is True
    assert client.get(SCHEDULES).data["count"] == 1
    changed = client.patch(where, {"interval_seconds": 3600, "time_zone": "Europe/Berlin"}).data
    assert (changed["cron"], changed["interval_seconds"], changed["keep_last"]) == (None, 3600, 3)
    assert client.patch(where, {"cron": "x"}).data["errors"][0]["field"] == "cron"
    assert client.patch(where, {"owner": "x"}).status_code == 400
    assert client.delete(where).status_code == 204
    assert client.get(where).status_code == 404


def test_a_strangers_are_not_there(client, world):
    bulk = client.post(BULK, WISH)["Location"]
    schedule = client.post(SCHEDULES, {"name": "nightly", "cron": "0 2 * * *", "export": WISH})["Location"]
    stranger = client_of(User.objects.create_user("eve"))
    operator = client_of(User.objects.create_superuser("op"))
    for where in (bulk, f"{bulk}items/", f"{bulk}report/", schedule):
        assert stranger.get(where).status_code == 404
        assert operator.get(where).status_code == 200
    assert stranger.post(f"{bulk}cancel/").status_code == 404
    assert stranger.delete(schedule).status_code == stranger.patch(schedule, {"keep_last": 1}).status_code == 404
    assert stranger.get(BULK).data["count"] == stranger.get(SCHEDULES).data["count"] == 0
    assert APIClient().get(BULK).status_code == 401


@pytest.mark.parametrize(
    ("where", "body", "field"),
    [
        (BULK, {}, "selection"),
        (BULK, WISH | {"selection": {"kind": "x"}}, "selection"),
        (BULK, WISH | {"token": "x"}, "token"),
        (BULK, WISH | {"export_type": "github", "destination": {"credential": "c"}}, "destination.repository_name"),
        (SCHEDULES, {"name": "n", "export": WISH, "cron": "x"}, "cron"),
        (SCHEDULES, {"name": "n", "export": WISH | {"window": 0}, "cron": "0 2 * * *"}, "window"),
    ],
)
def test_what_is_wrong(client, where, body, field):
    answer = client.post(where, body)
    assert answer.status_code == 400
    assert answer.data["errors"][0]["field"] == field
    assert not BulkExport.objects.exists()


def test_the_admin_pages(client, world):
    world.projects(1)
    where = client.post(BULK, WISH)
    client.post(SCHEDULES, {"name": "nightly", "cron": "0 2 * * *", "export": WISH})
    world.work()
    pages = Client()
    pages.force_login(User.objects.create_superuser("op"))
    for kind in ("bulkexport", "bulkexportitem", "exportschedule", "schedulerun"):
        assert pages.get(f"/admin/exports/{kind}/").status_code == 200
    assert "100 %" in pages.get("/admin/exports/bulkexport/").content.decode()
    assert pages.get(f"/admin/exports/bulkexport/{where.data['id']}/change/").status_code == 200


@pytest.mark.parametrize("kind", ["bulkexport", "exportschedule"])
def test_a_page_of_the_admin_asks_as_often_however_many_rows_it_has(client, world, kind):
    pages = Client()
    pages.force_login(User.objects.create_superuser("op"))
    where = f"/admin/exports/{kind}/"
    counts = []
    for number in range(2, 4):
        for _ in range(number):
            schedule = create_schedule(
                owner=world.user, name=f"s{ExportSchedule.objects.count()}", export=WISH, cron="0 2 * * *"
            )
            schedule.runs.create(due_at=timezone.now(), status="completed")
            client.post(BULK, WISH)
        world.work()
        with CaptureQueriesContext(connection) as asked:
            assert "completed" in pages.get(where).content.decode()
        counts.append(len(asked))
    assert counts[0] == counts[1]
