"""Exports to any git remote over HTTP: the part of the shared contract that needs no API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backend.apps.projects.services.repository_exporter import RepositoryExporter
from tests.integration.git_http_server import GitHttpServer
from tests.integration.hosts.push_contract import PushContract

pytestmark = pytest.mark.integration

TOKEN = "token-of-alice"


class Remote:
    """Repositories that are there, empty, for whoever has the token."""

    def __init__(self, server: GitHttpServer) -> None:
        self.server = server

    def full_name(self, name: str) -> str:
        return f"alice/{name}"

    def export(self, exporter: RepositoryExporter, name: str, commit: str, **options: Any) -> dict[str, Any]:
        if not self.folder(name).is_dir():
            self.make(name)
        return exporter.export_to_git(
            self.server.url(f"alice/{name}.git"), commit=commit, token=TOKEN, username="git", **options
        )

    def make(self, name: str, *, description: str = "") -> None:
        self.server.create_repository(f"alice/{name}.git")

    def folder(self, name: str) -> Path:
        return self.server.folder / f"alice/{name}.git"


@pytest.fixture
def place(tmp_path):
    with GitHttpServer(tmp_path / "served") as server:
        server.require_token(TOKEN)
        yield Remote(server)


class TestGit(PushContract):
    """The contract and nothing else."""
