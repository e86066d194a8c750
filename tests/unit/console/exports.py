"""What the tests of the pages of bulk exports, schedules and credentials share."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from backend.apps.authentication.models import User
from backend.apps.exports.bulk_models import BulkExport, BulkExportItem
from backend.apps.exports.services.bulk_exports import start_bulk_export
from backend.apps.projects.models import GeneratedProject, Project
from backend.apps.workflows.execution.claim import ClaimedTask
from tests.browser.exports_world import real
from tests.corpus import rows

BULK, SCHEDULES, CREDENTIALS = (f"/console/{name}/" for name in ("bulk-exports", "schedules", "credentials"))
WISH: dict[str, Any] = {"selection": {"kind": "all"}, "export_type": "zip"}
HUB: dict[str, Any] = {
    "selection": {"kind": "all"},
    "export_type": "github",
    "destination": {"credential": "acme-bot", "repository_name": "backup-{slug}"},
}


def queries(client: Client, address: str) -> int:
    """Return what a page costs, once it has been looked at before."""
    client.get(address)
    with CaptureQueriesContext(
        connection,
    ) as seen:
        assert client.get(address).status_code == 200
    return len(seen)


def naughty(most: int = 90) -> list[str]:
    """Return names that nobody has."""
    words = (str(row["value"]) for row in rows("third_party/naughty_strings"))
    return [word for word in words if word.isprintable() and len(word) < most and "<" in word][:60]


def assert_only_text(page: str, words: list[str]) -> None:
    """Fail where words of others, or anything of our own, is markup that runs."""
    body = page.split("</head>")[1] if "</head>" in page else page
    for word in words:
        if "<" in word and len(word) > 3:
            assert word not in body
    looking = _Markup()
    looking.feed(page)
    assert looking.found == []


class _Markup(HTMLParser):
    """Finds what a page may not hold: a script of its own, styles of its own, anything that an event would run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attrs}
        if tag in {"iframe", "object", "embed", "img", "marquee"} or (tag == "script" and "src" not in names):
            self.found.append(tag)
        self.found += [name for name in names if name == "style" or name.startswith("on")]


def started(user: User, *, name: str = "night", **wish: Any) -> BulkExport:
    """Start a bulk export; inside `exports_world.line` its messages wait there."""
    return start_bulk_export(user=user, name=name, **{**WISH, **wish})


def done(claimed: ClaimedTask) -> Any:
    """Plan as a worker does, and deliver without leaving anything."""
    return real(claimed) if claimed.method == "bulk.plan" else {"digest": "0" * 64}


def failing(error: Exception, *slugs: str, **others: Exception) -> Any:
    """Return services that fail for some projects, or for all. others: how those of further projects end."""
    errors = {**dict.fromkeys(slugs, error), **others}

    def serve(claimed: ClaimedTask) -> Any:
        if claimed.method != "bulk.plan":
            slug = BulkExportItem.objects.get(pk=claimed.arguments["item"]).project_slug
            if slug in errors or not errors:
                raise errors.get(slug, error)
        return done(claimed)

    return serve


def with_content(user: User, *slugs: str) -> list[Project]:
    """Make projects with a generation each, without files."""
    made = []
    for slug in slugs:
        project = Project.objects.create(name=slug, slug=slug, owner=user)
        GeneratedProject.objects.create(
            project=project, created_by=user, status="completed", content_digest=slug.ljust(64, "0")[:64]
        )
        made.append(project)
    return made
