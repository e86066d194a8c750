"""The pages of bulk exports: who sees them, what they cost, what they say, and what the buttons and the form do."""

from __future__ import annotations

import csv
import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.keeping import add_credential
from backend.apps.exports.bulk_models import BulkExport, BulkExportItem
from backend.apps.workflows.models import TaskExecution
from backend.console.signs import subject_of
from backend.errors import InDoubt, RateLimited, RemoteRefused
from tests.browser.exports_world import line
from tests.unit.console.conftest import browser
from tests.unit.console.exports import (
    BULK,
    assert_only_text,
    done,
    failing,
    naughty,
    queries,
    started,
    with_content,
)

# Work is handed on when what it belongs to has been committed.
pytestmark = pytest.mark.django_db(transaction=True)
PAGES = ("", "items/", "report/json/", "report/csv/", "report/manifest/")
BUTTONS = ("pause/", "resume/", "cancel/", "retry/")


@pytest.fixture
def client(ada: User) -> Client:
    return browser(ada)


def at(bulk: BulkExport, more: str = "") -> str:
    return f"{BULK}{bulk.pk}/{more}"


def with_failures(user: User) -> BulkExport:
    """Return a bulk export of which one item has failed, one is in doubt, and two are delivered."""
    with_content(user, "one", "two", "three", "four")
    with line() as work:
        bulk = started(user)
        work.work(
            failing(RemoteRefused("It said no.", hint="Ask again."), "two", three=InDoubt("The answer was lost."))
        )
    bulk.refresh_from_db()
    return bulk


@pytest.mark.parametrize("page", PAGES)
def test_who_sees_a_bulk_export(ada: User, stranger: User, operator: User, page: str) -> None:
    with line():
        bulk = started(ada, name="secret-night")
    for user in (ada, operator):
        assert browser(user).get(at(bulk, page)).status_code == 200
    other = browser(stranger).get(at(bulk, page))
    assert other.status_code == 404
    assert "secret-night" not in other.text
    assert "secret-night" not in browser(stranger).get(BULK).text
    assert Client().get(at(bulk, page)).status_code == 302


@pytest.mark.parametrize("button", BUTTONS)
def test_strangers_change_nothing(stranger: User, ada: User, button: str) -> None:
    with line():
        bulk = started(ada)
        answer = browser(stranger).post(at(bulk, button), follow=True)
    assert "There is no bulk export" in answer.text
    same = BulkExport.objects.get(pk=bulk.pk)
    assert (same.status, same.paused_at, same.cancel_requested_at) == ("pending", None, None)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ada)
    assert strict.post(at(bulk, button)).status_code == 403
    assert strict.post(f"{BULK}-/start/", {"do": "start"}).status_code == 403


def test_it_is_paused_resumed_and_cancelled(ada: User, client: Client) -> None:
    with_content(ada, "one", "two")
    with line() as work:
        bulk = started(ada, window=1)
        work.work(done, most=1)
        assert "Pause" in client.get(at(bulk)).text
        paused = client.post(at(bulk, "pause/"), {"back": at(bulk)}, follow=True).text
        assert "nothing new begins" in paused
        assert "Resume" in paused
        assert "is paused already" in client.post(at(bulk, "pause/"), {"back": at(bulk)}, follow=True).text
        assert "It goes on." in client.post(at(bulk, "resume/"), {"back": at(bulk)}, follow=True).text
        client.post(at(bulk, "cancel/"))
    page = client.get(at(bulk)).text
    assert "Cancelled" in page
    for absent in ("Pause", "Resume", "Retry the failed"):
        assert absent not in page.split("<main")[1]


def test_what_has_failed_is_tried_again(ada: User, client: Client) -> None:
    bulk = with_failures(ada)
    page = client.get(at(bulk)).text
    for words in ("100 %", "Retry the failed ones", "It said no.", "Ask again.", "The answer was lost."):
        assert words in page
    with line() as work:
        assert "tried again" in client.post(at(bulk, "retry/"), {"back": at(bulk)}, follow=True).text
        work.work(done)
    bulk.refresh_from_db()
    assert bulk.items.filter(status="failed").count() == 0
    assert "Retry the failed ones" not in client.get(at(bulk)).text


def test_a_doubt_is_settled_and_taken_up(ada: User, stranger: User, client: Client) -> None:
    with_content(ada, "one")
    with line() as work:
        bulk = started(ada)
        work.work(failing(InDoubt("The answer was lost.")))
        page = client.get(at(bulk)).text
        assert "It was done" in page
        task = BulkExportItem.objects.get().task
        assert task is not None
        settle = f"/console/tasks/{task.pk}/settle/"
        browser(stranger).post(settle, {"outcome": "done"})
        assert TaskExecution.objects.get(pk=task.pk).status == "in_doubt"
        assert "Settled" in client.post(settle, {"outcome": "done", "back": at(bulk)}, follow=True).text
        assert "Take up what was settled" in client.get(at(bulk)).text
        client.post(at(bulk, "retry/"))
    bulk.refresh_from_db()
    assert bulk.status == "completed"


def test_the_bar_is_right_and_never_goes_back(ada: User, client: Client) -> None:
    with_content(ada, *(f"p{number}" for number in range(7)))
    seen = []
    with line() as work:
        bulk = started(ada, window=3)
        assert "Planning…" in client.get(at(bulk)).text
        for _ in range(9):
            work.work(done, most=1)
            context = client.get(at(bulk), headers={"HX-Request": "true"}).context
            width = sum(part.width for part in context["bar"])
            seen.append(context["progress"].percent)
            assert abs(width / 10 - 100 * context["progress"].done / max(1, context["progress"].total)) < 0.1
    assert seen == sorted(seen)
    assert seen[-1] == 100
    assert all(percent < 100 for percent in seen[:7])


def test_it_says_what_it_waits_for(ada: User, client: Client) -> None:
    with_content(ada, "one", "two", "three")
    with line() as work:
        bulk = started(ada)
        assert "A worker has to plan it first." in client.get(at(bulk)).text
        work.work(failing(RateLimited("Wait for it.", retry_after=1800)), most=3)
        page = client.get(at(bulk)).text
        assert "2 items wait for the host&#x27;s limit" in page
        assert "1 item waits for a free worker." in page
        assert "Waiting" in page
        assert "Wait for it." in page


def test_items_are_narrowed_and_turned_over(ada: User, client: Client) -> None:
    bulk = with_failures(ada)
    failed = client.get(at(bulk, "items/?status=failed")).text
    assert ("two</a></td>" in failed, "one</a></td>" in failed) == (True, False)
    found = client.get(at(bulk, "items/?search=OU"), headers={"HX-Request": "true"}).text
    assert ("four</a></td>" in found, "two</a></td>" in found, "<html" in found) == (True, False, False)
    assert "No project is like that" in client.get(at(bulk, "items/?search=zzz%25")).text
    odd = client.get(at(bulk, "items/?status=odd&page="))
    assert (odd.status_code, "is-warn" in odd.text) == (200, True)
    assert client.get(at(bulk, "items/?page=nonsense")).status_code == 200
    BulkExportItem.objects.bulk_create(
        BulkExportItem(bulk_export=bulk, position=10 + number, project_slug=f"more-{number}", status="completed")
        for number in range(120)
    )
    first = client.get(at(bulk, "items/?status=completed"))
    after = first.context["part"].after
    second = client.get(at(bulk, f"items/{after}"))
    assert "status=completed" in after
    assert first.context["items"][-1].item.position < second.context["items"][0].item.position


def test_an_item_leads_to_its_project_while_there_is_one(ada: User, client: Client) -> None:
    bulk = with_failures(ada)
    item = BulkExportItem.objects.get(bulk_export=bulk, project_slug="one")
    assert f'<a href="/console/projects/{item.project_id}/">one</a>' in client.get(at(bulk)).text
    BulkExportItem.objects.filter(pk=item.pk).update(project=None)
    assert f'/console/projects/{item.project_id}/"' not in client.get(at(bulk)).text


def test_an_item_stands_as_its_task_says(ada: User, client: Client) -> None:
    with_content(ada, "one")
    with line() as work:
        bulk = started(ada)
        work.work(done, most=1)
    TaskExecution.objects.filter(method="bulk.deliver").update(status="completed")
    assert "one</a></td>" in client.get(at(bulk, "items/?status=completed")).text
    assert "one</a></td>" not in client.get(at(bulk, "items/?status=in_flight")).text
    assert client.get(at(bulk)).context["progress"].percent == 100


def test_reports_are_downloads(ada: User, client: Client) -> None:
    bulk = with_failures(ada)
    told = client.get(at(bulk, "report/json/"))
    body = json.loads(b"".join(told.streaming_content))  # type: ignore[attr-defined]
    assert {item["project"]: item["status"] for item in body["items"]}["two"] == "failed"
    assert told["Content-Disposition"] == f'attachment; filename="night-{str(bulk.pk)[:8]}.json"'
    lines = b"".join(client.get(at(bulk, "report/csv/")).streaming_content).decode()  # type: ignore[attr-defined]
    assert len(list(csv.DictReader(lines.splitlines()))) == 4
    assert client.get(at(bulk, "report/exe/")).status_code == 400


def test_pages_cost_the_same_whatever_they_hold(ada: User, client: Client) -> None:
    with_content(ada, "one", "two")
    counts = []
    with line() as work:
        for number in (1, 4):
            for each in range(number):
                bulk = started(ada, name=f"n{number}{each}", skip_unchanged=False)
                work.work(failing(RemoteRefused("no"), "two"))
            counts.append((queries(client, BULK), queries(client, at(bulk)), queries(client, at(bulk, "items/"))))
            with_content(ada, *(f"more-{number}-{item}" for item in range(20)))
    assert counts[0] == counts[1]


def test_words_of_others_stay_words(ada: User, client: Client) -> None:
    words = naughty()
    with_content(ada, "one")
    with line() as work:
        bulk = started(ada, name=words[0])
        work.work(failing(RemoteRefused(" ".join(words)[:4000], hint=words[1])))
    BulkExportItem.objects.filter(bulk_export=bulk).update(project_slug=words[2][:100])
    for address in (BULK, at(bulk), at(bulk, "items/"), at(bulk, f"items/?search={words[3]}")):
        page = client.get(address)
        assert page.status_code == 200
        assert_only_text(page.text, words)
        assert "script-src 'self'" in page["Content-Security-Policy"]
    assert_only_text(client.post(f"{BULK}-/start/", {"in/name": words[0], "do": "plan"}).text, words)


START = f"{BULK}-/start/"


def sent(**more: Any) -> dict[str, str]:
    answers = {"in/selection/kind": '"all"', "in/export_type": '"zip"', "given/in/skip_unchanged": "1"}
    return {**answers, "in/skip_unchanged": "true", **more}


def test_the_plan_is_shown_before_it_starts(ada: User, client: Client) -> None:
    with_content(ada, "one", "two")
    assert "Show the plan" in client.get(START).text
    straight = client.post(START, sent(do="start"))
    assert "The answers have changed" in straight.text
    assert not BulkExport.objects.exists()
    plan = client.post(START, sent(do="plan"))
    assert (plan.status_code, plan.context["plan"].deliveries) == (200, 2)
    assert "Nobody knows yet how long it takes" in plan.text
    planned = plan.context["planned"]
    other = client.post(START, sent(do="start", planned=planned, **{"in/export_type": '"tar"'}))
    assert "The answers have changed" in other.text
    with line():
        made = client.post(START, sent(do="start", planned=planned, **{"in/name": "tonight"}))
    bulk = BulkExport.objects.get()
    assert made["Location"] == at(bulk)
    assert (bulk.name, bulk.selection, bulk.export_type, bulk.window) == ("tonight", {"kind": "all"}, "zip", 512)


def test_the_plan_says_when_it_ends(ada: User, client: Client) -> None:
    with_content(ada, "one", "two")
    now = timezone.now()
    with line() as work:
        bulk = started(ada)
        work.work(done)
    BulkExport.objects.filter(pk=bulk.pk).update(started_at=now - timedelta(hours=2), completed_at=now)
    page = client.post(START, sent(do="plan"))
    assert abs(page.context["plan"].seconds - 7200) < 5
    assert "Ends <time" in page.text
    assert "what such deliveries have taken" in page.text


def test_errors_stand_at_their_fields(ada: User, stranger: User, client: Client) -> None:
    add_credential(user=ada, name="acme-bot", host="github", secret=Secret("ghp_" + "7" * 36))
    add_credential(user=ada, name="forge", host="gitlab", secret=Secret("glpat-" + "7" * 20))
    add_credential(user=stranger, name="theirs", host="github", secret=Secret("ghp_" + "8" * 36))
    part = client.post(START, {"in/export_type": '"github"'}, headers={"HX-Request": "true"}).text
    for name in ("credential", "repository_name", "organization", "private"):
        assert f'name="in/destination/{name}"' in part
    assert ("acme-bot" in part, "forge" in part, "theirs" in part, "aria-invalid" in part) == (
        True,
        False,
        False,
        False,
    )
    wrong = client.post(START, sent(do="plan", **{"in/export_type": '"github"', "in/window": "5000"}))
    assert wrong.status_code == 422
    for place in ("destination-credential", "destination-repository_name", "window"):
        assert f'id="in-{place}-error"' in wrong.text
    hub = {"in/export_type": '"github"', "in/destination/credential": "acme-bot"}
    same = client.post(START, sent(do="plan", **hub, **{"in/destination/repository_name": "the-same"}))
    assert "is the same for all" in same.text
    assert 'id="in-destination-repository_name-error"' in same.text
    hub |= {"in/destination/credential": "theirs", "in/destination/repository_name": "b-{slug}"}
    assert 'id="in-destination-credential-error"' in client.post(START, sent(do="plan", **hub)).text
    listed = sent(do="plan", **{"in/selection/kind": '"list"', "in/selection/projects": "nowhere"})
    assert 'id="in-selection-projects-error"' in client.post(START, listed).text
    assert not BulkExport.objects.exists()


def test_what_is_listened_to_is_the_readers_own(ada: User, stranger: User) -> None:
    with_content(ada, "one", "two")
    with line() as work:
        bulk = started(ada)
        subject = subject_of(at(bulk, "stream/"))
        assert subject is not None
        assert (subject.may_listen(ada), subject.may_listen(stranger)) == (True, False)
        everything = subject_of(f"{BULK}stream/")
        assert everything is not None
        seen = [(subject.sign(), everything.sign())]
        for _ in range(3):
            work.work(done, most=1)
            seen.append((subject.sign(), everything.sign()))
    assert len(set(seen)) == len(seen)
    assert subject.sign() == seen[-1][0]
    assert subject_of("/console/bulk-exports/nothing/stream/") is None
