"""Where what a run has delivered can be found. An address that is no web address is shown and leads nowhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from backend.apps.exports.models import RepositoryExport
from backend.apps.projects.models import Archive

_COMMITS = {"github": "/commit/", "gitlab": "/-/commit/"}


@dataclass(frozen=True)
class Delivery:
    """One delivery, and where it is. url, commit_url: empty where nothing leads there."""

    export: RepositoryExport
    name: str
    url: str
    commit_url: str
    is_archive: bool


def deliveries_of(exports: Iterable[RepositoryExport]) -> list[Delivery]:
    """Return the deliveries with their addresses."""
    return [_delivery(export) for export in exports]


def archives_beside(deliveries: Iterable[Delivery], archives: Iterable[Archive]) -> list[Archive]:
    """Return the archives that no delivery is the delivery of: those made on the way to a repository."""
    delivered = {
        (each.export.generated_project_id, each.export.export_type, each.export.commit)
        for each in deliveries
        if each.is_archive
    }
    return [each for each in archives if (each.generated_project_id, each.format, each.commit) not in delivered]


def _delivery(export: RepositoryExport) -> Delivery:
    is_archive = export.export_type in {"zip", "tar", "tar.gz"}
    url = web_address(export.repository_url)
    path = _COMMITS.get(export.export_type)
    commit_url = f"{url}{path}{export.commit}" if url and path and export.commit else ""
    name = export.repository_name or export.repository_url or f"{export.export_type} archive"
    return Delivery(export, f"{export.export_type} archive" if is_archive else name, url, commit_url, is_archive)


def web_address(text: str) -> str:
    """Return an address that a browser may be led to, without what a clone of it ends in; empty for any other."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        return ""
    return text.removesuffix(".git").rstrip("/")


def in_flower(task_id: object) -> str:
    """Return a task's address in Flower, which knows it by the row's id; empty where no address is set."""
    address: str = settings.ENVIRONMENT.flower_url
    return f"{address.rstrip('/')}/task/{task_id}" if address else ""
