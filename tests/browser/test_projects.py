"""The pages of projects in a real browser: fit for everybody, worked by hand, with and without scripts."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.browser.conftest import NARROW, USUAL, WIDE, Site, Visit
from tests.browser.people import PASSWORD

pytestmark = pytest.mark.integration
New = Callable[..., Visit]
Ids = dict[str, str]


@pytest.fixture(scope="module")
def ids(site: Site, words: list[str]) -> Ids:
    """The ids of what is looked at."""
    made: Ids = site.web.django(f"from tests.browser import project_world; answer = project_world.build({words!r})")
    return made


def _pages(ids: Ids) -> list[str]:
    project, hostile = f"/console/projects/{ids['project']}/", f"/console/projects/{ids['hostile']}/"
    second, third = f"{project}generations/{ids['second']}/", f"{project}generations/{ids['third']}/"
    return [
        "/console/projects/",
        "/console/projects/-/new/",
        project,
        f"{third}file/?path=src/storefront/main.py",
        f"{second}file/?path=src/storefront/static/logo.png",
        f"{second}files/?below=src/storefront",
        f"{project}draft/",
        f"{project}draft/file/?path=README.md",
        f"{project}draft/edit/?path=README.md",
        f"{project}draft/edit/?path=none.txt",
        f"{project}draft/edit/",
        f"{project}draft/changes/",
        f"{project}generations/",
        second,
        third,
        f"{project}archives/",
        f"/console/exports/{ids['archive']}/link/",
        f"{project}exports/",
        *(f"{project}exports/new/?to={to}" for to in ("archive", "github", "gitlab", "git")),
        f"{project}members/",
        f"{project}labels/",
        f"/console/projects/{ids['empty']}/",
        f"/console/projects/{ids['empty']}/draft/",
        hostile,
        f"{hostile}draft/file/?path={quote(ids['hostile_path'])}",
        f"{hostile}draft/changes/",
        f"{hostile}exports/",
    ]


@pytest.mark.parametrize(("size", "scheme"), [(USUAL, "light"), (NARROW, "dark"), (WIDE, "light")])
def test_every_page_is_fit_for_everybody(
    visit: New, site: Site, ids: Ids, words: list[str], size: tuple[int, int], scheme: str
) -> None:
    somebody = visit(size, scheme)
    somebody.log_in("ada")
    for path in _pages(ids):
        page = somebody.open(path)
        assert page.locator("h1").count() == 1, path
        assert somebody.problems() == [], path
        assert somebody.sideways() == 0, path
        assert page.locator("main script, main iframe, main img, main object, main marquee").count() == 0, path
    assert somebody.said == []


def test_a_file_goes_from_the_draft_to_an_archive_by_keyboard(visit: New, site: Site, ids: Ids) -> None:
    somebody = visit()
    somebody.log_in("ada")
    page = somebody.open(f"/console/projects/{ids['project']}/draft/file/?path=README.md")
    page.get_by_role("link", name="Edit", exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/draft/edit/?path=README.md")
    page.get_by_label("README.md").focus()
    page.keyboard.press("Control+End")
    page.keyboard.type("Typed by hand: <b>not bold</b>.")
    page.get_by_role("button", name="Save in the draft").focus()
    page.keyboard.press("Enter")
    page.get_by_text("README.md is saved in the draft.").wait_for()
    assert "<b>not bold</b>" in page.locator("#file-text").inner_text()
    page.get_by_role("link", name="What it changes").focus()
    page.keyboard.press("Enter")
    page.locator(".line.added", has_text="Typed by hand").wait_for()
    page.get_by_role("button", name="Keep as a generation").focus()
    page.keyboard.press("Enter")
    page.get_by_text("A generation was made of the draft.").wait_for()
    page.locator(".line.added", has_text="Typed by hand").wait_for()
    page.get_by_role("link", name="Export", exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/exports/new/**")
    page.get_by_role("button", name="Export").focus()
    page.keyboard.press("Enter")
    page.locator("#exports .badge", has_text="Pending").first.wait_for()
    assert somebody.said == []


def test_what_is_wrong_is_at_its_field(visit: New, site: Site, ids: Ids) -> None:
    somebody = visit()
    somebody.log_in("ada")
    page = somebody.open(f"/console/projects/{ids['project']}/exports/new/?to=github")
    page.get_by_label("Repository").fill("not a name")
    page.get_by_label("Credential").select_option("acme-bot")
    page.get_by_role("button", name="Export").click()
    field = page.locator(".field", has=page.locator("#id_repository_name"))
    field.locator(".error", has_text="cannot be the name").wait_for()
    assert page.locator("#id_repository_name").get_attribute("aria-invalid") == "true"
    assert page.locator("#id_credential").input_value() == "acme-bot"
    assert somebody.problems() == []
    # A browser says in its console that an answer was a 422.
    assert [said for said in somebody.said if "422" not in said] == []


def test_a_file_is_in_colour_and_can_be_linked_to(visit: New, site: Site, ids: Ids) -> None:
    somebody = visit()
    somebody.log_in("ada")
    address = f"/console/projects/{ids['project']}/generations/{ids['second']}/file/?path=src/storefront/main.py"
    plain = somebody.context.request.get(site.origin + address).text()
    page = somebody.open(f"{address}#L7")
    assert page.locator("#L11 .c-word").inner_text() == "class"
    assert page.locator("#L12 .c-text").inner_text().startswith('"""What')
    assert page.locator("#L18 .c-comment").inner_text() == "# The tax is the country's, not ours."
    assert page.locator("#L7").inner_text().strip() == "TAX = 0.19"
    # The colours change nothing of what is written.
    assert page.locator("#file-text").text_content() == page.evaluate(
        "text => new DOMParser().parseFromString(text, 'text/html').getElementById('file-text').textContent", plain
    )
    with page.expect_download() as got:
        page.get_by_role("link", name="Download").click()
    assert got.value.suggested_filename == "main.py"
    assert somebody.said == []


def test_an_archive_is_downloaded_and_linked_to(visit: New, site: Site, ids: Ids) -> None:
    somebody = visit()
    somebody.log_in("ada")
    page = somebody.open(f"/console/projects/{ids['project']}/archives/")
    with page.expect_download() as got:
        page.get_by_role("link", name="Download").first.click()
    assert got.value.suggested_filename.endswith(".zip")
    page.get_by_role("link", name="Link…").first.click()
    page.get_by_label("It works for").select_option(label="An hour")
    page.get_by_role("button", name="Make the link").click()
    link = page.get_by_label("The link").input_value()
    assert visit().context.request.get(link).headers["content-type"] == "application/zip"
    assert somebody.said == []


def test_members_are_managed_without_scripts(visit: New, site: Site, ids: Ids) -> None:
    somebody = visit(scripts=False)
    page = somebody.open("/console/login/")
    page.fill("#id_username", "ada")
    page.fill("#id_password", PASSWORD)
    page.click("button:has-text('Log in')")
    page.goto(f"{site.origin}/console/projects/?label=nightly")
    page.get_by_role("link", name="Storefront").click()
    page.get_by_role("link", name="Members").click()
    page.get_by_label("User").fill("operator")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_text("operator is a member now.").wait_for()
    row = page.locator("tr", has_text="operator")
    row.get_by_label("Role of operator").select_option("viewer")
    row.get_by_role("button", name="Save").click()
    page.get_by_text("operator is viewer now.").wait_for()
    row.get_by_role("button", name="Remove…").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    page.get_by_text("They are no longer a member.").wait_for()
    page.get_by_role("link", name="Files").click()
    page.get_by_role("link", name="main.py").first.click()
    assert "class Order" in page.locator("#file-text").inner_text()
