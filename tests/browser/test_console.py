"""The console in a real browser: by keyboard, light and dark, narrow and wide, live, with nothing that axe minds."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Request

from tests.browser.conftest import NARROW, USUAL, WIDE, Site, Visit

pytestmark = pytest.mark.integration
New = Callable[..., Visit]


def _pages(site: Site) -> list[str]:
    return [
        "/console/",
        "/console/design/",
        "/console/runs/",
        "/console/system/",
        site.run("completed"),
        site.run("failed"),
        site.run("many"),
        site.run("hostile"),
        site.run("completed", "data/"),
        site.run("completed", "history/"),
        site.run("completed", "rerun/"),
        site.run("completed", "log/"),
        site.run("failed", "steps/publish/"),
        site.run("in_doubt", "steps/story/"),
        site.run("many", "steps/each_service/"),
    ]


@pytest.mark.parametrize(("size", "scheme"), [(USUAL, "light"), (NARROW, "dark"), (WIDE, "light")])
def test_every_page_is_fit_for_everybody(visit: New, site: Site, size: tuple[int, int], scheme: str) -> None:
    somebody = visit(size, scheme)
    assert somebody.open("/console/login/").title().startswith("Log in")
    assert somebody.problems() == []
    somebody.log_in()
    for path in _pages(site):
        page = somebody.open(path)
        assert page.locator("h1").count() == 1, path
        assert somebody.problems() == [], path
        assert somebody.sideways() == 0, path
    assert somebody.said == []


def test_it_is_worked_by_the_keyboard_alone(visit: New, site: Site) -> None:
    somebody = visit()
    somebody.log_in()
    page = somebody.open(site.run("paused"))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.get_by_role("button", name="Cancel…").focus()
    page.keyboard.press("Enter")
    assert page.get_by_role("heading", name="Cancel this run?").is_visible()
    page.keyboard.press("Escape")
    assert not page.get_by_role("heading", name="Cancel this run?").is_visible()
    page.get_by_role("button", name="Resume").focus()
    page.keyboard.press("Enter")
    page.get_by_text("It goes on.").wait_for()
    page.get_by_role("button", name="Pause").focus()
    page.keyboard.press("Enter")
    page.get_by_text("Paused. What runs is let finish").wait_for()
    page.get_by_role("link", name="Refresh each service").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/steps/each_service/")
    assert somebody.said == []


def test_a_page_is_live_and_heals(visit: New, site: Site) -> None:
    somebody = visit()
    somebody.log_in()
    page = somebody.open(site.run("paused"))
    page.locator(".live[data-live=on]").wait_for()
    assert page.locator(".badge").first.inner_text() == "Paused"
    _control(site, "resume", "paused")
    page.locator(".badge", has_text="Running").first.wait_for()
    page.locator("#lines", has_text="Resumed by operator").wait_for()
    somebody.context.set_offline(True)
    _control(site, "pause", "paused")
    somebody.context.set_offline(False)
    page.locator(".badge", has_text="Paused").first.wait_for()
    page.locator("#lines .line", has_text="Paused by operator").nth(1).wait_for()
    lines = page.locator("#lines .line").evaluate_all("all => all.map(one => Number(one.id.slice(1)))")
    assert lines == list(range(1, len(lines) + 1))


def test_the_log_is_searched_as_one_types(visit: New, site: Site) -> None:
    somebody = visit()
    somebody.log_in("ada")
    page = somebody.open(site.run("failed"))
    page.get_by_label("Search the log").fill("somebody else")
    page.locator("#lines .line").nth(5).wait_for(state="detached")
    assert "somebody else's" in page.locator("#lines").inner_text()
    assert page.evaluate("document.activeElement.id") == "log-q"
    page.get_by_label("Search the log").fill("")
    page.locator("#lines .line").nth(5).wait_for()
    assert somebody.said == []


def test_it_reads_and_works_without_scripts(visit: New, site: Site) -> None:
    somebody = visit(scripts=False)
    page = somebody.open("/console/login/")
    page.fill("#id_username", "operator")
    page.fill("#id_password", "correct horse battery")
    page.click("button:has-text('Log in')")
    page.goto(site.origin + "/console/runs/?status=failed")
    page.get_by_role("link", name="publish-service").first.click()
    assert page.get_by_role("heading", name="Timeline").is_visible()
    page.goto(site.origin + site.run("failed", "log/?q=somebody+else"))
    assert "somebody else's" in page.locator("#lines").inner_text()


def test_names_of_others_stay_text(visit: New, site: Site, words: list[str]) -> None:
    somebody = visit()
    somebody.log_in()
    for path in ("/console/", "/console/runs/", site.run("hostile"), site.run("hostile", "data/")):
        page = somebody.open(path)
        page.wait_for_timeout(150)
        assert page.locator("main script, main iframe, main img, main object, main marquee").count() == 0, path
    assert json.dumps(words[0], ensure_ascii=False) in page.locator("#v-inputs").inner_text()
    assert somebody.said == []


def test_the_admin_works_under_the_same_policy(visit: New, site: Site) -> None:
    somebody = visit()
    somebody.log_in()
    for path in ("", "authentication/user/", "authentication/user/add/", "workflows/workflowexecution/"):
        page = somebody.open(f"/admin/{path}")
        assert page.locator("#site-name").is_visible()
    # What Django's own script is told where it puts the cursor twice.
    assert [said for said in somebody.said if "Autofocus" not in said] == []


def test_a_page_of_a_run_is_light(visit: New, site: Site) -> None:
    somebody = visit()
    somebody.log_in()
    sizes: list[int] = []
    fresh = visit()
    fresh.context.add_cookies(list(somebody.context.cookies()))  # type: ignore[arg-type]

    def weigh(request: Request) -> None:
        sizes.append(sum(int(part) for part in request.sizes().values()))  # type: ignore[call-overload]

    fresh.page.on("requestfinished", weigh)
    fresh.open(site.run("many"))
    fresh.page.wait_for_timeout(500)
    assert 20_000 < sum(sizes) < 200_000


def _control(site: Site, what: str, name: str) -> None:
    """Do something to a run from elsewhere."""
    site.web.django(
        "from backend.apps.authentication.models import User\n"
        "from tests.browser.world import player\n"
        f"from backend.apps.workflows.services import {what}_execution as act\n"
        "with player():\n"
        f"    act(execution_id={site.runs[name]!r}, user=User.objects.get(username='operator'))\n"
        "answer = 1"
    )
