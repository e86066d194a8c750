"""Executions over REST: started, listed, shown."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from backend.apps.projects.models import Project
from backend.apps.workflows import execution_selectors
from backend.apps.workflows.access import visible_executions
from backend.apps.workflows.models import WorkflowExecution, WorkflowVersion

pytestmark = pytest.mark.django_db
# Messages leave after a commit.
committed = pytest.mark.django_db(transaction=True)
V1 = "/api/v1"
RUNS = f"{V1}/workflows/executions/"
Begin = Callable[..., str]
Clients = Callable[[str], APIClient]


@committed
def test_an_executions_life(author: APIClient, begin: Begin, runner: Any) -> None:
    identifier = begin(input_data={"name": "x", "sesame": "open it"})
    path = f"{RUNS}{identifier}/"
    shown = author.get(path).json()
    assert (shown["status"], shown["current_step"], shown["workflow_name"], shown["version"]) == (
        "running",
        "a",
        "hello",
        1,
    )
    assert shown["input_data"] == {"name": "x"}
    assert [(step["id"], step["status"]) for step in shown["steps"]] == [("a", "running"), ("b", "pending")]
    runner.until_idle()
    shown = author.get(path).json()
    assert (shown["status"], shown["output_data"]) == ("completed", {"all": {"did": {"n": "x"}}})
    assert author.get(shown["links"]["state"]).json()["steps"]["a"]["result"] == {"did": {"n": "x"}}
    steps = author.get(shown["links"]["steps"]).json()["results"]
    assert [step["status"] for step in steps] == ["completed", "completed"]
    assert steps[0]["result"] == {"did": {"n": "x"}}
    tasks = author.get(shown["links"]["tasks"]).json()["results"]
    assert [(task["step"], task["position"]) for task in tasks] == [("a", 0), ("b", 0), ("b", 1), ("b", 2)]
    for link in shown["links"].values():
        assert "open it" not in author.get(link).content.decode()


def test_it_is_started_by_name_and_version(author: APIClient, version: WorkflowVersion, broker: Any) -> None:
    answer = author.post(RUNS, {"workflow": "hello", "version": 1, "input_data": {"name": "x"}})
    assert (answer.status_code, answer["Location"]) == (202, f"{RUNS}{answer.json()['id']}/")
    assert answer.json()["status"] == "running"


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"workflow": "hello"}, 400, "input_data"),
        ({"workflow": "hello", "input_data": {"name": 3}}, 400, "input_data.name"),
        ({"workflow": "hello", "input_data": []}, 400, "input_data"),
        ({"workflow": "hello", "inputs": {}}, 400, "inputs"),
        ({"workflow": "hello", "version": 2}, 404, "version"),
        ({"workflow": "hello", "version": 2**40}, 400, "version"),
        ({"workflow": "hullo"}, 404, "workflow"),
        ({"workflow": "hello", "input_data": {"name": "x"}, "project": "no-such"}, 404, "project"),
        ({"workflow": "hello", "input_data": {"name": "x", "project": "no-such"}}, 404, "project"),
        ({}, 400, "workflow"),
    ],
)
def test_what_cannot_be_started_is_told_and_not_kept(
    author: APIClient, version: WorkflowVersion, body: Any, status: int, field: str
) -> None:
    answer = author.post(RUNS, body)
    assert answer.status_code == status, answer.json()
    assert answer.json()["errors"][0]["field"] == field
    assert not WorkflowExecution.objects.exists()


@pytest.mark.parametrize("how", ["body", "input", "slug"])
@pytest.mark.parametrize(
    ("who", "status"),
    [("owner", 202), ("maintainer", 202), ("author", 202), ("viewer", 403), ("stranger", 404), ("operator", 202)],
)
def test_who_may_start_work_on_a_project(
    client_of: Clients, version: WorkflowVersion, project: Project, broker: Any, who: str, status: int, how: str
) -> None:
    body: dict[str, Any] = {"input_data": {"name": "x"}}
    if how == "input":
        body["input_data"]["project"] = str(project.pk)
    else:
        body["project"] = project.slug if how == "slug" else str(project.pk)
    answer = client_of(who).post(f"{V1}/workflows/{version.workflow_id}/execute/", body)
    assert answer.status_code == status
    if status == 202:
        made = WorkflowExecution.objects.get()
        assert (made.project_id, made.project_name) == (project.pk, "mill")
        assert made.input_data["project"] == str(project.pk)
    else:
        assert not WorkflowExecution.objects.exists()


@pytest.mark.parametrize("part", ["", "state/", "steps/", "tasks/", "events/"])
@pytest.mark.parametrize(
    ("on", "seen"),
    [(True, PEOPLE_OF := {"owner", "viewer", "author", "maintainer", "operator"}), (False, {"author", "operator"})],
)
def test_who_sees_an_execution(
    client_of: Clients, begin: Begin, project: Project, part: str, on: bool, seen: set[str]
) -> None:
    identifier = begin(project="mill" if on else None)
    for who in (*PEOPLE_OF, "stranger"):
        answer = client_of(who).get(f"{RUNS}{identifier}/{part}")
        assert (who, answer.status_code) == (who, 200 if who in seen else 404)
        listed = client_of(who).get(RUNS).json()["results"]
        assert (who, len(listed)) == (who, int(who in seen))


def test_the_list_is_narrowed(author: APIClient, begin: Begin, project: Project, people: Any) -> None:
    paused, cancelling, failed, plain = begin(), begin(project="mill"), begin(), begin()
    rows = WorkflowExecution.objects
    now = timezone.now()
    rows.filter(pk=paused).update(paused_at=now)
    rows.filter(pk=cancelling).update(cancel_requested_at=now)
    rows.filter(pk=failed).update(status="failed", created_at=now - timedelta(days=3))

    def found(query: str) -> set[str]:
        answer = author.get(f"{RUNS}?{query}")
        assert answer.status_code == 200, answer.json()
        return {each["id"] for each in answer.json()["results"]}

    assert found("status=paused") == {paused}
    assert found("status=cancelling") == {cancelling}
    assert found("status=running") == {paused, cancelling, plain}
    assert found("status=failed") == {failed}
    assert found(f"project={project.pk}") == {cancelling}
    assert found(f"user={people['author'].pk}&status=failed") == {failed}
    assert found(f"user={people['owner'].pk}") == set()
    assert found("workflow=hello&status=failed") == {failed}
    assert found(f"workflow={uuid4()}") == set()
    yesterday = (now - timedelta(days=1)).isoformat().replace("+", "%2B")
    assert found(f"created_before={yesterday}") == {failed}
    assert found(f"created_after={yesterday}") == {paused, cancelling, plain}
    assert author.get(f"{RUNS}{paused}/").json()["paused"] is True


@pytest.mark.parametrize(
    "query",
    ["status=done", "project=x", "user=1", "created_after=soon", "ordering=status", "state=running", "status=a%00"],
)
def test_senseless_filters_are_refused(author: APIClient, query: str) -> None:
    answer = author.get(f"{RUNS}?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert answer.json()["errors"][0]["field"] == query.split("=")[0]


@pytest.mark.parametrize(
    "cursor", ["x", "", "%00", "é", "A" * 500, "WzEsMiwzXQ", "W1tbW1tb", "eyJhIjoxfQ", "WyIyMDI2LTAxLTAxIiwiMSIsMF0"]
)
def test_senseless_cursors_are_refused(author: APIClient, cursor: str) -> None:
    answer = author.get(f"{RUNS}?cursor={cursor}")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "cursor")


@pytest.mark.parametrize(
    ("moment", "status"),
    [
        ("0001-01-01T00:00:00+14:00", 400),
        ("9999-12-31T23:59:59-14:00", 400),
        ("0001-01-01T00:00:00+00:00", 200),
        ("9999-12-31T23:59:59.999999+00:00", 200),
    ],
)
@pytest.mark.parametrize("backwards", [0, 1])
def test_cursors_at_the_ends_of_the_calendar(author: APIClient, moment: str, backwards: int, status: int) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps([moment, str(uuid4()), backwards]).encode()).decode().rstrip("=")
    assert author.get(f"{RUNS}?cursor={cursor}").status_code == status


@pytest.mark.parametrize("size", ["0", "-1", "x", "1e3", "9" * 5000, "²"])
def test_senseless_page_sizes_are_refused(author: APIClient, size: str) -> None:
    assert author.get(f"{RUNS}?page_size={size}").status_code == 400


@pytest.mark.parametrize("who", ["author", "operator", "owner"])
def test_what_is_merged_is_what_is_visible(
    client_of: Clients, begin: Begin, project: Project, people: Any, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    mine = Project.objects.create(name="Own", slug="own", owner=people["author"])
    Project.objects.create(name="Empty", slug="empty", owner=people["author"])
    for number in range(9):
        begin(project=[None, "mill", mine.slug][number % 3])

    def pages() -> list[str]:
        address, seen = f"{RUNS}?page_size=2&status=running", []
        while address:
            page = client_of(who).get(address).json()
            seen += [each["id"] for each in page["results"]]
            address = page["next"]
        return seen

    merged = pages()
    visible = visible_executions(user=people[who]).order_by("-created_at", "-id")
    assert merged == [str(each.pk) for each in visible]
    assert len(merged) == {"author": 9, "operator": 9, "owner": 3}[who]
    # As for somebody who is a member of very many projects.
    monkeypatch.setattr(execution_selectors, "MOST_PARTS", 1)
    assert pages() == merged


@pytest.mark.parametrize("ordering", ["created_at", "-created_at"])
def test_pages_follow_each_other_both_ways_although_moments_are_shared(
    author: APIClient, begin: Begin, ordering: str
) -> None:
    identifiers = [begin() for _ in range(7)]
    # All at one moment but the first.
    moment = timezone.now()
    WorkflowExecution.objects.exclude(pk=identifiers[0]).update(created_at=moment)
    whole = [each["id"] for each in author.get(f"{RUNS}?ordering={ordering}").json()["results"]]
    assert sorted(whole) == sorted(identifiers)
    address, seen, pages = f"{RUNS}?ordering={ordering}&page_size=3", [], []
    while address:
        page = author.get(address).json()
        pages.append(page)
        seen += [each["id"] for each in page["results"]]
        address = page["next"]
    assert seen == whole
    assert [len(page["results"]) for page in pages] == [3, 3, 1]
    assert pages[0]["previous"] is None
    back = author.get(pages[2]["previous"]).json()
    assert back["results"] == pages[1]["results"]
    first = author.get(back["previous"]).json()
    assert (first["results"], first["previous"]) == (pages[0]["results"], None)
    assert author.get(first["next"]).json()["results"] == pages[1]["results"]


@pytest.mark.parametrize("who", ["author", "operator"])
def test_a_page_takes_the_same_queries_however_much_is_on_it(
    client_of: Clients, begin: Begin, project: Project, django_assert_max_num_queries: Any, who: str
) -> None:
    for number in range(6):
        begin(project="mill" if number % 2 else None)
    for size in (1, 6):
        with django_assert_max_num_queries(2) as queries:
            answer = client_of(who).get(f"{RUNS}?page_size={size}")
        assert len(answer.json()["results"]) == size
        if size == 1:
            first = len(queries)
    assert len(queries) == first


def test_an_execution_takes_few_queries(author: APIClient, begin: Begin, django_assert_max_num_queries: Any) -> None:
    identifier = begin()
    for part, most in {"": 2, "tasks/": 2, "steps/": 3, "events/": 2}.items():
        with django_assert_max_num_queries(most):
            assert author.get(f"{RUNS}{identifier}/{part}").status_code == 200


def test_a_repeated_start_starts_once(author: APIClient, version: WorkflowVersion, broker: Any) -> None:
    body = {"workflow": "hello", "input_data": {"name": "x"}}
    answers = [author.post(RUNS, body, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert answers[1]["Idempotency-Replayed"] == "true"
    assert WorkflowExecution.objects.count() == 1


@committed
def test_events_page_by_page(author: APIClient, begin: Begin, runner: Any) -> None:
    identifier = begin()
    runner.until_idle()
    address, seen = f"{RUNS}{identifier}/events/?page_size=4", []
    while address:
        page = author.get(address).json()
        assert page["status"] == "completed"
        seen += page["results"]
        address = page["next"]
    assert [each["sequence"] for each in seen] == list(range(1, len(seen) + 1))
    assert (seen[0]["kind"], seen[-1]["kind"]) == ("execution_started", "execution_completed")
    assert author.get(f"{RUNS}{identifier}/events/?after={len(seen)}").json() == {
        "next": None,
        "last": len(seen),
        "status": "completed",
        "results": [],
    }
    assert author.get(f"{RUNS}{identifier}/events/?after=-1").status_code == 400


def test_a_stream_is_not_acceptable_where_none_can_be_served(author: APIClient, begin: Begin) -> None:
    answer = author.get(f"{RUNS}{begin()}/events/", headers={"Accept": "text/event-stream"})
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")


def test_executions_is_no_workflow(author: APIClient) -> None:
    assert author.get(f"{V1}/workflows/executions/x/").status_code == 404
