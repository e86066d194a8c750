"""The pages of runs: who sees them, what they cost, that words of others stay words, and what the buttons do."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from backend.apps.authentication.models import User
from backend.apps.projects.models import Project, ProjectMembership
from backend.apps.workflows.models import TaskExecution, WorkflowExecution
from backend.apps.workflows.services import enqueue_method, pause_execution
from backend.errors import InDoubt, RateLimited, RemoteRefused
from tests.browser import world
from tests.corpus import rows
from tests.unit.console.conftest import browser

# Work is handed on when what it belongs to has been committed.
pytestmark = pytest.mark.django_db(transaction=True)
PAGES = ("", "log/", "data/", "history/", "rerun/", "steps/publish/")


def _address(run: WorkflowExecution, page: str = "") -> str:
    return f"/console/runs/{run.pk}/{page}"


@pytest.mark.parametrize("page", PAGES)
def test_who_sees_a_run(
    ada: User, stranger: User, operator: User, completed: WorkflowExecution, shop: Project, page: str
) -> None:
    for user in (ada, operator):
        assert browser(user).get(_address(completed, page)).status_code == 200
    other = browser(stranger).get(_address(completed, page))
    assert other.status_code == 404
    assert "publish-service" not in other.text
    assert str(completed.pk)[:8] not in browser(stranger).get("/console/runs/").text
    ProjectMembership.objects.create(project=shop, user=stranger, role="viewer")
    expected = 403 if page == "rerun/" else 200
    assert browser(stranger).get(_address(completed, page)).status_code == expected


BUTTONS = ("pause/", "resume/", "cancel/", "steps/publish/retry/", "steps/publish/cancel/")


@pytest.mark.parametrize("button", BUTTONS)
def test_who_may_look_may_not_change(stranger: User, failed: WorkflowExecution, shop: Project, button: str) -> None:
    client = browser(stranger)
    before = failed.events.count()
    assert client.post(_address(failed, button)).status_code == 302
    ProjectMembership.objects.create(project=shop, user=stranger, role="viewer")
    answer = client.post(_address(failed, button), follow=True)
    assert failed.events.count() == before
    assert "You may see this execution but not control it." in answer.text
    assert 'name="back"' not in client.get(_address(failed)).text.split("<main", 1)[1]


def test_a_run_is_shown_as_it_went(ada: User, completed: WorkflowExecution) -> None:
    text = browser(ada).get(_address(completed)).text
    for words in ("Publish to GitHub", "5 of 5 steps", "export.export_to_github", "The run completed", "Run again"):
        assert words in text
    for absent in ("Pause", "Resume", "Cancel the run"):
        assert absent not in text


def test_mending_a_failed_run(ada: User, failed: WorkflowExecution) -> None:
    client = browser(ada)
    page = client.get(_address(failed))
    assert "It said no." in page.text
    assert "Ask it again." in page.text
    with world.player() as playing:
        again = client.post(_address(failed, "resume/"), {"back": _address(failed)}, follow=True)
        assert "It goes on." in again.text
        playing.play(world.answers)
    failed.refresh_from_db()
    assert failed.status == "completed"
    history = client.get(_address(failed, "history/")).text
    assert "Resumed by ada at story" in history
    refused = client.post(_address(failed, "cancel/"), {"back": _address(failed)}, follow=True)
    assert "there is nothing to cancel" in refused.text


def test_a_step_is_retried_and_a_doubt_is_settled(ada: User, quick: None) -> None:
    client = browser(ada)
    with world.player() as playing:
        run = world.begin(ada, world.PUBLISH, {"name": "shop"})
        playing.play(world.failing("agents.call", InDoubt("The answer was lost.")))
        page = client.get(_address(run, "steps/story/"))
        assert "It was done" in page.text
        assert "Retry the step" not in page.text
        task = run.tasks.get(status="in_doubt")
        assert client.post(f"/console/tasks/{task.pk}/settle/", {"outcome": "maybe"}, follow=True).status_code == 200
        task.refresh_from_db()
        assert task.status == "in_doubt"
        client.post(f"/console/tasks/{task.pk}/settle/", {"outcome": "done", "back": _address(run)})
        playing.play(world.answers)
    run.refresh_from_db()
    assert run.status == "completed"


def test_a_run_again_with_changes(ada: User, completed: WorkflowExecution) -> None:
    client = browser(ada)
    address = _address(completed, "rerun/")
    with world.player():
        for wrong in ("{", "[]", '{"name": "No Name"}'):
            answer = client.post(address, {"inputs": wrong})
            assert answer.status_code == 400
            assert escape(wrong) in answer.text
        answer = client.post(address, {"inputs": '{"name": "billing", "private": true}'})
    new = WorkflowExecution.objects.exclude(pk=completed.pk).get()
    assert answer.headers["Location"] == _address(new)
    assert new.input_data == {"name": "billing", "private": True}


LOOSE: dict[str, Any] = {
    "name": "loose",
    "inputs": {
        "type": "object",
        "properties": {
            "count": {},
            "note": {},
            "size": {"default": 3},
            "sesame": {"type": "string", "writeOnly": True},
        },
    },
    "steps": [{"id": "a", "type": "api_call", "config": {"method": "GET", "endpoint": "/projects/"}}],
}


@pytest.mark.parametrize(
    ("given", "then"),
    [
        ({"count": True, "note": ["n"], "size": 4}, {"count": True, "note": ["n"], "size": 4}),
        ({"count": 1, "note": [1.5], "size": 4}, {"count": 1, "note": [1.5], "size": 4}),
        ({"count": 1}, {"count": 1, "size": 3}),
        ({}, {"size": 3}),
    ],
)
def test_a_run_again_has_what_is_written_down(ada: User, given: dict[str, Any], then: dict[str, Any]) -> None:
    with world.player():
        run = world.begin(ada, LOOSE, {"count": 1, "note": ["n"], "size": 4, "sesame": "open it"})
        browser(ada).post(_address(run, "rerun/"), {"inputs": json.dumps(given)})
    new = WorkflowExecution.objects.exclude(pk=run.pk).get().input_data
    # The secret is not shown, and is the new run's too.
    assert new.pop("sesame").startswith("secret:")
    assert json.dumps(new, sort_keys=True) == json.dumps(then, sort_keys=True)


def test_inputs_of_any_length_can_be_run_again(ada: User) -> None:
    with world.player():
        run = world.begin(ada, LOOSE, {"note": "n" * 100_000})
        page = browser(ada).get(_address(run, "rerun/")).text
    text = unescape(page.split('name="inputs"')[1].split(">", 1)[1].split("</textarea>")[0])
    assert json.loads(text) == {"note": "n" * 100_000, "size": 3}


def test_words_of_others_stay_words(ada: User, quick: None) -> None:
    words = _naughty()
    with world.player() as playing:
        run = world._hostile(ada, words)
        playing.play(world.failing("agents.call", RemoteRefused(words[0], hint=words[1])))
    client = browser(ada)
    addresses = ["/console/", "/console/runs/", *(_address(run, page) for page in ("", "log/", "data/", "history/"))]
    addresses += [_address(run, "rerun/"), _address(run, "steps/step_0/")]
    for address in addresses:
        page = client.get(address)
        assert page.status_code == 200
        body = page.text.split("</head>")[1]
        for word in words:
            if "<" in word and len(word) > 3:
                assert word not in body, address


def _naughty() -> list[str]:
    words = (str(row["value"]) for row in rows(NAUGHTY))
    return [word for word in words if word.isprintable() and len(word) < 90 and "<" in word][:60]


NAUGHTY = "third_party/naughty_strings"


def _queries(client: Client, address: str) -> int:
    client.get(address)
    with CaptureQueriesContext(
        connection,
    ) as seen:
        assert client.get(address).status_code == 200
    return len(seen)


@pytest.mark.parametrize("page", ["", "log/", "steps/each_service/"])
def test_a_page_of_a_run_costs_the_same_whatever_it_holds(ada: User, quick: None, page: str) -> None:
    client = browser(ada)
    counts = []
    with world.player() as playing:
        for number in (1, 40):
            run = world.begin(ada, world.PORTFOLIO, {"services": [f"s{item}" for item in range(number)]})
            playing.play(world.answers)
            counts.append(_queries(client, _address(run, page)))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("address", ["/console/", "/console/runs/"])
def test_a_list_costs_the_same_whatever_it_holds(ada: User, quick: None, address: str) -> None:
    client = browser(ada)
    counts = []
    for _ in range(2):
        with world.player() as playing:
            for number in range(4):
                world.begin(ada, world.PUBLISH, {"name": "shop"})
                if number % 2:
                    playing.play(world.failing("agents.call", RemoteRefused("no")))
        counts.append(_queries(client, address))
    assert counts[0] == counts[1]


def test_what_a_run_waits_for_is_said(ada: User, shop: Project, quick: None) -> None:
    limited = RateLimited("GitHub asks to wait.", retry_after=1_800)
    with world.player() as playing:
        run = world.begin(ada, world.PUBLISH, {"name": "shop"}, project_id=shop.pk, project_name="shop")
        playing.play(world.failing("export.export_to_github", limited))
        client = browser(ada)
        for address in ("/console/", "/console/runs/", _address(run)):
            page = client.get(address).text.split("<main")[1]
            assert re.search(r"<code>rate_limited</code>, goes on <time [^>]*>in (29|30) min", page), address
            assert ">Waiting<" in page or 'aria-label="Waiting"' in page
        assert ">Running<" not in client.get("/console/runs/").text.split("<tbody")[1]
        assert _tile(client) == ("0", "1 waiting, none paused")
        # With something of it to be done it runs, whatever else of it waits.
        TaskExecution.objects.filter(execution=run, status="pending").update(not_before=None)
        assert ">Running<" in client.get("/console/runs/").text.split("<tbody")[1]
        assert _tile(client) == ("1", "none waits, none paused")
        pause_execution(execution_id=run.pk, user=ada)
        assert _tile(client) == ("0", "none waits, 1 paused")
        assert ">Paused<" in client.get("/console/runs/").text.split("<tbody")[1]
    assert "goes on" not in client.get(_address(run)).text


def _tile(client: Client) -> tuple[str, ...]:
    """Return what the first tile of the first page says: how many runs go on, and how many do not."""
    tile = client.get("/console/").text.split("tile is-busy")[1].split("</a>")[0]
    return tuple(re.findall(r'tile-(?:value|more)">([^<]*)<', tile))


def test_a_large_run_is_folded(ada: User, quick: None) -> None:
    with world.player() as playing:
        run = world.begin(ada, world.PORTFOLIO, {"services": [f"s{item}" for item in range(300)]})
        playing.play(world.answers)
    client = browser(ada)
    page = client.get(_address(run))
    assert "300 of 300" in page.text
    assert len(page.content) < 150_000
    assert page.text.count('class="line ') == 200
    step = client.get(_address(run, "steps/each_service/")).text
    assert "item 100" in step
    assert "item 101" not in step
    assert "?after=99-0" in step
    assert "item 101" in client.get(_address(run, "steps/each_service/?after=99-0")).text


def test_a_task_leads_to_its_step(ada: User, stranger: User, operator: User, completed: WorkflowExecution) -> None:
    task = completed.tasks.get(method="export.export_to_github")
    address = f"/tasks/{task.pk}/"
    shown = browser(ada).get(address, follow=True)
    assert shown.redirect_chain == [(f"{_address(completed, 'steps/publish/')}#t{task.pk}", 302)]
    assert f'id="t{task.pk}"' in shown.text
    refused = browser(stranger).get(address)
    assert refused.status_code == 404
    assert "publish" not in refused.text
    assert browser(operator).get(f"/tasks/{uuid4()}/").status_code == 404
    asked = Client().get(address)
    assert (asked.status_code, asked["Location"]) == (302, f"/console/login/?next={address}")
    with world.player():
        alone = enqueue_method(method="generation.cleanup", arguments={}, key="tidy", user=ada)
    led = browser(operator).get(f"/tasks/{alone.pk}/", follow=True)
    assert led.redirect_chain[-1][0] == f"/admin/workflows/taskexecution/{alone.pk}/change/"
    assert led.status_code == 200
    User.objects.filter(pk=ada.pk).update(is_staff=True)
    for user in (ada, User.objects.get(pk=ada.pk)):
        nowhere = browser(user).get(f"/tasks/{alone.pk}/", follow=True)
        assert (nowhere.status_code, nowhere.redirect_chain) == (404, [])
        assert f"/api/v1/workflows/tasks/{alone.pk}/" in nowhere.text


def test_a_task_far_down_leads_to_where_it_is_shown(ada: User, quick: None) -> None:
    with world.player() as playing:
        run = world.begin(ada, world.PORTFOLIO, {"services": [f"s{item}" for item in range(120)]})
        playing.play(world.answers)
    client = browser(ada)
    for item, page in ((99, "#"), (100, f"?after=99-{10**6}#")):
        task = run.tasks.get(step__step_id="each_service", item=item)
        shown = client.get(f"/tasks/{task.pk}/", follow=True)
        assert shown.redirect_chain[0][0] == f"{_address(run, 'steps/each_service/')}{page}t{task.pk}"
        assert f'id="t{task.pk}"' in shown.text


def test_the_log_goes_on_and_is_searched(ada: User, failed: WorkflowExecution) -> None:
    client = browser(ada)
    last = failed.events.count()
    new = client.get(_address(failed, f"log/?after={last - 1}"))
    assert new.text.count('class="line ') == 1
    assert client.get(_address(failed, f"log/?after={last}")).status_code == 204
    found = client.get(_address(failed, "log/?q=SAID+no")).text
    assert "It said no." in found
    assert "generation.generate" not in found
    problems = client.get(_address(failed, "log/?problems=1")).text
    assert "is-good" not in problems.split('id="lines"')[1]
    assert "No line is like that" in client.get(_address(failed, "log/?q=nothing+of+the+kind")).text
    for odd in ("after=x", "before=99999999999999", "after=-1", "step=nowhere", "q=%00"):
        assert client.get(_address(failed, f"log/?{odd}")).status_code in {200, 204}


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("status=failed", True),
        ("status=completed", False),
        ("workflow=publish-service", True),
        ("workflow=nothing", False),
        ("status=&workflow=", True),
        ("status=odd", True),
        ("user=odd", True),
    ],
)
def test_a_list_is_narrowed(ada: User, failed: WorkflowExecution, query: str, shown: bool) -> None:
    page = browser(ada).get(f"/console/runs/?{query}")
    assert page.status_code == 200
    assert (str(failed.pk) in page.text) == shown
    assert ("odd" in query) == ("is-warn" in page.text.split("<main")[1].split("<form")[0])


def test_a_wrong_cursor_is_a_page_that_says_so(ada: User) -> None:
    page = browser(ada).get("/console/runs/?cursor=nonsense")
    assert page.status_code == 400
    assert "The cursor is not valid." in page.text


def test_only_operators_see_the_system(ada: User, operator: User) -> None:
    for address in ("/console/system/", "/console/queues/"):
        assert browser(ada).get(address).status_code == 403
        assert browser(operator).get(address).status_code == 200
    assert "/console/system/" not in browser(ada).get("/console/").text
