"""Makes the pictures of the console: `make screenshots`.

Every page in three windows goes to docs/pictures, to be looked at; the docs show those of the tour, which are made by
living through its story. `python -m tests.browser.screenshots tour` makes these alone.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.people import PASSWORD
from tests.browser.test_story import PATIENCE, PICTURES, Album, tell
from tests.integration.web_process import WebProcess

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "pictures"
WINDOWS = (("", 1440, 900, "light"), ("-dark", 1440, 900, "dark"), ("-narrow", 390, 844, "light"))


def main() -> int:
    """Make every picture; say where they are."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        sys.stderr.write("screenshots: there is no chromium here; Debian's package `chromium` has it.\n")
        return 1
    with tempfile.TemporaryDirectory(prefix="repomill-pictures-") as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        if sys.argv[1:] != ["tour"]:
            _make_pages(browser, Path(folder))
        _make_tour(browser, Path(folder))
        browser.close()
    return 0


def _make_tour(browser: Browser, folder: Path) -> None:
    """Live through the story, and keep its pictures as the docs' when it has gone well."""
    album = Album(folder / "album")
    tell(browser, folder, album)
    shutil.rmtree(PICTURES, ignore_errors=True)
    shutil.copytree(album.folder, PICTURES)
    sys.stdout.write(f"screenshots: {len(album.names)} pictures in {PICTURES}\n")


def _make_pages(browser: Browser, folder: Path) -> None:
    web = WebProcess(folder / "pages", signing_key="k" * 48, REPOMILL_RATE_LOGIN="none")
    try:
        runs = web.django(
            "from tests.browser import project_world, world; answer = world.build() | project_world.build()"
        )
        exports = web.django("from tests.browser import exports_world; answer = exports_world.build()")
        # Both have a `failed` and a `paused` one; those of the runs keep their names.
        runs = exports | runs
        for ending, width, height, scheme in WINDOWS:
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
            _take_all(page, web.origin, runs, ending)
            page.close()
    finally:
        web.stop()
    sys.stdout.write(f"screenshots: {len(list(FOLDER.glob('*.png')))} pictures in {FOLDER}\n")


def pages(runs: dict[str, str]) -> dict[str, str]:
    """Return the addresses of the pages by the names of their pictures."""
    return {
        "home": "/console/",
        "runs": "/console/runs/",
        "run": f"/console/runs/{runs['completed']}/",
        "run-failed": f"/console/runs/{runs['failed']}/",
        "run-many": f"/console/runs/{runs['many']}/",
        "step-in-doubt": f"/console/runs/{runs['in_doubt']}/steps/story/",
        "run-data": f"/console/runs/{runs['completed']}/data/",
        "run-history": f"/console/runs/{runs['completed']}/history/",
        "run-again": f"/console/runs/{runs['completed']}/rerun/",
        **_of_projects(runs),
        "bulk-exports": "/console/bulk-exports/",
        "bulk-export": f"/console/bulk-exports/{runs['going']}/",
        "bulk-export-new": "/console/bulk-exports/-/start/",
        "schedules": "/console/schedules/",
        "calendar": "/console/schedules/-/calendar/",
        "schedule": f"/console/schedules/{runs['schedule']}/",
        "schedule-new": "/console/schedules/-/new/",
        "credentials": "/console/credentials/",
        "credential": f"/console/credentials/{runs['credential']}/",
        "credential-new": "/console/credentials/-/add/",
        "system": "/console/system/",
        "design": "/console/design/",
    }


def _of_projects(ids: dict[str, str]) -> dict[str, str]:
    project = f"/console/projects/{ids['project']}/"
    return {
        "projects": "/console/projects/",
        "project": project,
        "project-file": f"{project}generations/{ids['third']}/file/?path=src/storefront/main.py",
        "project-draft": f"{project}draft/changes/",
        "project-edit": f"{project}draft/edit/?path=README.md",
        "project-generations": f"{project}generations/",
        "project-generation": f"{project}generations/{ids['third']}/",
        "project-archives": f"{project}archives/",
        "project-exports": f"{project}exports/",
        "project-export": f"{project}exports/new/?to=github",
        "project-members": f"{project}members/",
    }


def _take_all(page: Page, origin: str, runs: dict[str, str], ending: str) -> None:
    page.goto(f"{origin}/console/login/")
    _take(page, f"login{ending}")
    page.fill("#id_username", "operator")
    page.fill("#id_password", PASSWORD)
    page.press("#id_password", "Enter")
    page.wait_for_url("**/console/")
    for name, path in pages(runs).items():
        page.goto(origin + path)
        page.wait_for_timeout(300)
        # The workers are asked for, and nobody answers here: what comes of it is waited for.
        page.locator("#queue-rows p").wait_for(state="detached", timeout=PATIENCE)
        _take(page, f"{name}{ending}")


def _take(page: Page, name: str) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    page.evaluate("document.fonts.ready")
    page.screenshot(path=FOLDER / f"{name}.png", full_page=True)


if __name__ == "__main__":
    sys.exit(main())
