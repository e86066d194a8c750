"""The console's whole story, as a new user lives it: start, watch, download, look, and mend what has failed.

Nothing is played: `repomill up` runs with its workers, broker, database and git. The docs' tour is made of the same
story, see `tests.browser.screenshots`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Download, Page

from tests.browser.conftest import Visit
from tests.browser.people import OPERATOR
from tests.integration.installation import ROOT, Installation
from tests.integration.trees import archive_tree, clone, commits, files_of, tree_of

pytestmark = pytest.mark.integration
EXAMPLE = ROOT / "examples" / "publish-service" / "workflow.yaml"
TOUR = ROOT / "docs" / "guides" / "tour.md"
PICTURES = ROOT / "docs" / "images" / "tour"
WINDOW = {"width": 1280, "height": 800}
PATIENCE = 120_000
"""Milliseconds for which anything is waited for: the machine may be busy with other tests."""
LARGEST_PICTURE = 150_000


class Album:
    """Keeps a picture of each station of the story."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: list[str] = []

    def take(self, page: Page, name: str) -> None:
        """Take a picture of what the window shows."""
        page.evaluate("document.fonts.ready")
        self.names.append(f"{len(self.names) + 1}-{name}.png")
        page.screenshot(path=self.folder / self.names[-1])


def test_a_new_user_starts_watches_and_mends(chromium: Browser, tmp_path: Path) -> None:
    album = Album(tmp_path / "album")
    tell(chromium, tmp_path, album)
    assert {path.name for path in PICTURES.glob("*.png")} == set(album.names)
    assert re.findall(r"!\[[^\]]+\]\(../images/tour/([^)]+)\)", TOUR.read_text()) == album.names
    for folder in (album.folder, PICTURES):
        assert all((folder / name).stat().st_size < LARGEST_PICTURE for name in album.names)


def tell(browser: Browser, folder: Path, album: Album) -> None:
    """Live through the story with an installation of its own below a folder. Raises AssertionError where it differs."""
    with installed(folder / "installation") as (installation, origin), visiting(browser, origin) as visit:
        page, repository = visit.page, installation.data_dir / "repositories" / "hello-service.git"
        visit.log_in(OPERATOR, (installation.data_dir / "secrets" / "operator_password").read_text().strip())
        _make_a_project(page)
        _write_the_example(page)
        album.take(page, "workflow")

        page.get_by_role("link", name="Start", exact=True).click()
        _start(page, album, greeting="Hello")
        watched = _watch(page, album)
        got = _download(page)
        commit = _see_the_commit(page, album)
        assert commits(repository) == [commit]
        there = files_of(tree_of(clone(str(repository), folder / "first")))
        assert len(there) == 8
        assert files_of(archive_tree(_kept(got, folder))) == there

        # Something else lies where the repository was.
        aside = repository.rename(repository.with_suffix(".aside"))
        repository.mkdir()
        _go_to(page, "Workflows")
        page.get_by_role("link", name="Start publish-service").click()
        _start(page, None, greeting="Good morning")
        assert page.url != watched
        _see_why_it_fails(page, album)
        assert commits(aside) == [commit]

        repository.rmdir()
        aside.rename(repository)
        second = _resume(page, album)
        assert commits(repository) == [second, commit]
        assert "Good morning" in (clone(str(repository), folder / "second") / "service" / "server.py").read_text()
        _look_at_home(page, album)
        assert visit.said == []


@contextmanager
def installed(data_dir: Path) -> Iterator[tuple[Installation, str]]:
    """Start an installation that nobody has used before; give it and where its web process is."""
    installation = Installation(data_dir)
    try:
        yield installation, installation.start("--no-flower", patience=PATIENCE / 1000).web_url.rstrip("/")
    finally:
        installation.stop()


@contextmanager
def visiting(browser: Browser, origin: str) -> Iterator[Visit]:
    """Open a window as large as the pictures."""
    context = browser.new_context(viewport=WINDOW, color_scheme="light")  # type: ignore[arg-type]  # a TypedDict
    context.set_default_timeout(PATIENCE)
    try:
        yield Visit(context, origin)
    finally:
        context.close()


def _go_to(page: Page, place: str) -> None:
    page.get_by_role("navigation", name="Console").get_by_role("link", name=place, exact=True).click()


def _make_a_project(page: Page) -> None:
    _go_to(page, "Projects")
    page.get_by_role("link", name="New project").click()
    page.locator("#id_name").fill("Shop")
    page.get_by_role("button", name="Make the project").click()
    page.get_by_text("Shop is there.").wait_for()


def _write_the_example(page: Page) -> None:
    _go_to(page, "Workflows")
    page.get_by_role("link", name="New workflow").click()
    page.locator("#editor-source").fill(EXAMPLE.read_text())
    page.get_by_text("publish-service is valid: 3 steps.").wait_for()
    page.get_by_role("button", name="Save").click()
    page.get_by_text("publish-service is saved as version 1.").wait_for()


def _start(page: Page, album: Album | None, *, greeting: str) -> None:
    """Fill in the form of the workflow, and start it."""
    page.get_by_role("heading", name="Start publish-service").wait_for()
    page.locator("#project").select_option(label="Shop")
    page.locator("#in-name").fill("hello-service")
    page.locator("#in-greeting").fill(greeting)
    if album:
        album.take(page, "form")
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url("**/console/runs/*/")


def _watch(page: Page, album: Album) -> str:
    """See the run complete on a page that is not loaded again; return its address."""
    page.evaluate("window.loadedOnce = true")
    album.take(page, "running")
    page.locator(".live[data-live=on]").wait_for()
    page.locator(".run-bar .badge", has_text="Completed").wait_for()
    page.locator(".run-bar", has_text="3 of 3 steps").wait_for()
    page.locator("#lines", has_text="The run completed").wait_for()
    page.get_by_role("row", name="tar.gz archive").wait_for()
    assert page.evaluate("window.loadedOnce") is True
    album.take(page, "completed")
    return page.url


def _download(page: Page) -> Download:
    with page.expect_download() as waiting:
        page.get_by_role("row", name="tar.gz archive").get_by_role("link", name="Download").click()
    return waiting.value


def _kept(got: Download, folder: Path) -> Path:
    """Return a download as the file that a person would have."""
    assert re.fullmatch(r"Shop-[0-9a-f]{12}\.tar\.gz", got.suggested_filename)
    target = folder / got.suggested_filename
    got.save_as(target)
    return target


def _see_the_commit(page: Page, album: Album) -> str:
    """Follow the pushed commit to what it holds, and return it."""
    page.get_by_role("row", name="hello-service").locator("a.mono").click()
    page.wait_for_url("**/generations/*/")
    commit = page.locator("dl code").inner_text()
    page.get_by_text("server.py").first.wait_for()
    album.take(page, "commit")
    return commit


def _see_why_it_fails(page: Page, album: Album) -> None:
    page.locator(".run-bar .badge", has_text="Failed").wait_for()
    said = page.locator(".notice.is-bad")
    said.get_by_text("There is something called 'hello-service' that is no git repository.").wait_for()
    assert "Move it out of the way" in said.inner_text()
    page.locator("#lines", has_text="The run failed").wait_for()
    album.take(page, "failed")


def _resume(page: Page, album: Album) -> str | None:
    """Let the run go on, and return the commit that it has pushed then."""
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("It goes on. All earlier results are kept.").wait_for()
    page.locator(".run-bar .badge", has_text="Completed").wait_for()
    assert page.locator(".notice.is-bad").count() == 0
    album.take(page, "mended")
    commit = page.get_by_role("row", name="hello-service").locator("a.mono").get_attribute("title")
    page.get_by_role("link", name="Who did what").click()
    page.get_by_text("Resumed by operator at publish").wait_for()
    return commit


def _look_at_home(page: Page, album: Album) -> None:
    _go_to(page, "Home")
    page.locator("#board .tile", has_text="Completed").get_by_text("2", exact=True).wait_for()
    page.locator("#queue-rows .badge", has_text="Served").first.wait_for()
    album.take(page, "home")
