"""A real browser that looks at the pages of a real web process.

Chromium is the machine's own; REPOMILL_TEST_CHROMIUM names another. Playwright's loop runs in this thread while a
browser is open, so it is closed with its module.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.people import OPERATOR, PASSWORD
from tests.corpus import rows
from tests.integration.hosts.peers import peers
from tests.integration.web_process import WebProcess

NARROW, USUAL, WIDE = (360, 740), (1440, 900), (2560, 1440)


class Site:
    """An installation with a small world in it. runs: the ids of its runs by what they show."""

    def __init__(self, web: WebProcess, runs: dict[str, str]) -> None:
        self.web = web
        self.origin = web.origin
        self.runs = runs

    def run(self, name: str, more: str = "") -> str:
        """Return the address of a run's page."""
        return f"/console/runs/{self.runs[name]}/{more}"


# The machine may be busy with other tests.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def words() -> list[str]:
    """Names that nobody has, of those that a definition may have."""
    found = (str(row["value"]) for row in rows("third_party/naughty_strings"))
    return [word for word in found if word.strip() and word.isprintable() and len(word) < 90 and "<" in word][:20]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> Iterator[Site]:
    web = WebProcess(tmp_path_factory.mktemp("console"), signing_key="k" * 48, REPOMILL_RATE_LOGIN="none")
    try:
        yield Site(web, web.django(f"from tests.browser import world; answer = world.build({words!r})"))
    finally:
        web.stop()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    program = os.environ.get("REPOMILL_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("There is no chromium here; Debian's package `chromium` has it.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visit:
    """Somebody at their browser. said: what the browser's console has shown, which should be nothing."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.context = context
        self.origin = origin
        self.page: Page = context.new_page()
        self.said: list[str] = []
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))

    def open(self, path: str) -> Page:
        """Open a page of the console."""
        self.page.goto(self.origin + path)
        return self.page

    def log_in(self, name: str = OPERATOR, password: str = PASSWORD) -> None:
        """Log in by the keyboard alone."""
        self.open("/console/login/")
        # The browser puts the cursor there when it has the time, and until then what is typed is lost.
        self.page.locator("#id_username:focus").wait_for()
        self.page.keyboard.type(name)
        self.page.keyboard.press("Tab")
        self.page.keyboard.type(password)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url("**/console/")

    def problems(self) -> list[str]:
        """Return what axe finds serious on the page as it is."""
        # By the protocol and not by a script of the page's, which its policy forbids.
        self.page.evaluate((peers() / "axe-core" / "axe.min.js").read_text())
        found: dict[str, Any] = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{each['id']}: {node['target']} {node['failureSummary']}"
            for each in found["violations"]
            if each["impact"] in {"serious", "critical"}
            for node in each["nodes"]
        ]

    def sideways(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.fixture
def visit(chromium: Browser, site: Site) -> Iterator[Callable[..., Visit]]:
    """Makes somebody at a browser with a window of a size, who likes it light or dark, with scripts or without."""
    contexts: list[BrowserContext] = []

    def make(size: tuple[int, int] = USUAL, scheme: Any = "light", *, scripts: bool = True) -> Visit:
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, java_script_enabled=scripts
        )
        context.set_default_timeout(45_000)
        contexts.append(context)
        return Visit(context, site.origin)

    yield make
    for context in contexts:
        context.close()
