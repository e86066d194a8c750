"""Bulk exports, schedules and credentials in a real browser: by keyboard, live, without scripts, fit for everybody."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import NARROW, USUAL, WIDE, Site, Visit
from tests.browser.exports_world import TOKEN
from tests.integration.web_process import WebProcess

pytestmark = pytest.mark.integration
New = Callable[..., Visit]
START = "/console/bulk-exports/-/start/"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> Iterator[Site]:
    """An installation with bulk exports, schedules and credentials in it. runs: their ids by what they show."""
    web = WebProcess(tmp_path_factory.mktemp("exports"), signing_key="k" * 48, REPOMILL_RATE_LOGIN="none")
    try:
        made = (
            f"from tests.browser import exports_world, world; world.people(); answer = exports_world.build({words!r})"
        )
        yield Site(web, web.django(made))
    finally:
        web.stop()


def _pages(site: Site) -> list[str]:
    bulk = [f"/console/bulk-exports/{site.runs[name]}/" for name in ("going", "failed", "paused", "planning", "all")]
    schedules = [f"/console/schedules/{site.runs[name]}/" for name in ("schedule", "weekly")]
    credentials = [f"/console/credentials/{site.runs[name]}/" for name in ("credential", "forge", "attic")]
    lists = [f"/console/{name}/" for name in ("bulk-exports", "schedules", "credentials")]
    calendar = [f"/console/schedules/-/calendar/?view={view}" for view in ("month", "week")]
    forms = [START, "/console/schedules/-/new/", f"{schedules[0]}edit/", "/console/credentials/-/add/"]
    parts = [f"{bulk[1]}items/?status=failed", f"{credentials[0]}rotate/"]
    return [*lists, *bulk, *schedules, *credentials, *calendar, *forms, *parts]


@pytest.mark.parametrize(("size", "scheme"), [(USUAL, "light"), (NARROW, "dark"), (WIDE, "light")])
def test_every_page_is_fit_for_everybody(visit: New, site: Site, size: tuple[int, int], scheme: str) -> None:
    somebody = visit(size, scheme)
    somebody.log_in()
    for path in _pages(site):
        page = somebody.open(path)
        assert page.locator("h1").count() == 1, path
        assert page.locator("main script, main iframe, main img, main object").count() == 0, path
        assert somebody.problems() == [], path
        assert somebody.sideways() == 0, path
        assert TOKEN not in page.content(), path
    assert somebody.said == []


def test_a_bulk_export_is_planned_and_started_by_the_keyboard_alone(visit: New, site: Site) -> None:
    somebody = visit()
    somebody.log_in()
    page = somebody.open(START)
    page.locator("#in-export_type").focus()
    page.keyboard.type("GitHub")
    page.locator("#in-destination-credential").wait_for()
    assert page.evaluate("document.activeElement.id") == "in-export_type"
    _press(page, "Show the plan")
    page.locator("#in-destination-credential-error").wait_for()
    assert page.evaluate("document.activeElement.id") == "faults"
    page.locator("#in-destination-credential").focus()
    page.keyboard.type("acme-bot")
    page.locator("#in-destination-repository_name").focus()
    page.keyboard.type("copy-{slug}")
    _press(page, "Show the plan")
    page.locator(".plan-end").wait_for()
    assert page.evaluate("document.activeElement.id") == "plan"
    assert "Ends" in page.locator(".plan-end").inner_text()
    _press(page, "Start it")
    page.get_by_text("The bulk export has been started.").wait_for()
    # What does not fit is answered with 422, which the browser tells as if it were our mistake.
    assert [said for said in somebody.said if "422" not in said] == []


def test_a_bulk_export_is_live_and_steered(visit: New, site: Site) -> None:
    somebody = visit()
    somebody.log_in()
    bulk = f"/console/bulk-exports/{site.runs['going']}/"
    page = somebody.open(bulk)
    page.locator(".live[data-live=on]").wait_for()
    bar = page.get_by_role("progressbar")
    before = int(bar.get_attribute("aria-valuenow") or "")
    assert page.get_by_text("wait for the host's limit").is_visible()
    site.web.django(f"from tests.browser import exports_world; answer = exports_world.go_on({site.runs['going']!r})")
    page.get_by_role("button", name="Retry the failed ones").wait_for()
    assert (before < 100, bar.get_attribute("aria-valuenow")) == (True, "100")
    page.get_by_role("link", name="Failed").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/items/?status=failed")
    assert page.locator("#items tbody tr").count() == 1
    page.get_by_label("Search by project").fill("nothing")
    page.keyboard.press("Enter")
    page.get_by_text("No project is like that").wait_for()
    page = somebody.open(f"/console/bulk-exports/{site.runs['paused']}/")
    _press(page, "Cancel…")
    _press(page, "Cancel the bulk export")
    page.get_by_text("It is being cancelled").wait_for()
    assert somebody.said == []


def test_reports_are_downloaded(visit: New, site: Site) -> None:
    somebody = visit()
    somebody.log_in()
    page = somebody.open(f"/console/bulk-exports/{site.runs['all']}/")
    for name, ending in (("JSON", ".json"), ("CSV", ".csv"), ("Manifest of digests", ".sha256")):
        page.locator("details.menu summary").focus()
        if page.locator("details.menu[open]").count() == 0:
            page.keyboard.press("Enter")
        with page.expect_download() as waiting:
            page.get_by_role("link", name=name).click()
        assert waiting.value.suggested_filename.endswith(ending)
    assert len(waiting.value.path().read_text().splitlines()) == 12


def test_a_schedule_is_made_page_by_page(visit: New, site: Site) -> None:
    somebody = visit(NARROW, "dark")
    somebody.log_in()
    page = somebody.open("/console/schedules/-/new/")
    page.locator("#in-name").fill("by-the-browser")
    page.locator("#in-cron").fill("61 * * * *")
    _press(page, "Next")
    assert page.locator("#in-export_type").is_visible()
    assert not page.locator("#in-cron").is_visible()
    _press(page, "Make it")
    page.locator("#in-cron-error").wait_for()
    assert page.locator("#in-cron").is_visible()
    page.locator("#in-cron").fill("0 5 * * *")
    _press(page, "Next times")
    page.locator("#times li").nth(4).wait_for()
    _press(page, "Make it")
    page.get_by_text("The schedule by-the-browser is made.").wait_for()
    _press(page, "Pause")
    page.get_by_text("It is paused", exact=True).wait_for()
    assert [said for said in somebody.said if "422" not in said] == []


def test_it_reads_and_works_without_scripts(visit: New, site: Site) -> None:
    somebody = visit(scripts=False)
    page = somebody.open("/console/login/")
    page.fill("#id_username", "operator")
    page.fill("#id_password", "correct horse battery")
    page.click("button:has-text('Log in')")
    page.goto(site.origin + START)
    page.select_option("#in-selection-kind", '"label"')
    page.click("button:has-text('Show what else is asked for then') >> nth=0")
    page.fill("#in-selection-label", "nightly")
    page.click("button:has-text('Show the plan')")
    assert page.get_by_text("Nothing is to be delivered.").is_visible()
    page.goto(f"{site.origin}/console/schedules/-/calendar/?view=week")
    assert page.locator(".due").count() > 0
    page.goto(f"{site.origin}/console/credentials/-/add/")
    page.fill("#in-name", "plain")
    page.fill("#in-value", "ghp_" + "3" * 36)
    page.uncheck("#in-check_with_host")
    page.click("button:has-text('Add it')")
    assert page.get_by_text("Its value is never shown again.").is_visible()
    assert "ghp_333" not in page.content()


def _press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).focus()
    page.keyboard.press("Enter")
