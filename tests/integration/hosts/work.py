"""What the contract of hosts speaks of: a host on this machine, an account on it, and a project to export."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.repository_exporter import RepositoryExporter
from backend.apps.projects.services.workspace import Workspace
from tests.commits import commit_all
from tests.integration.hosts.api_server import ApiServer, Fault

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Place(Protocol):
    """A host on this machine, and one user's account on it."""

    def full_name(self, name: str) -> str:
        """Return what a repository of the user's is called in full."""

    def export(self, exporter: RepositoryExporter, name: str, commit: str, **options: Any) -> dict[str, Any]:
        """Export to a repository of the user's, by the exporter's own method for this host."""

    def make(self, name: str, *, description: str = "") -> None:
        """Make an empty repository of that name, as a person does on the host's pages."""

    def folder(self, name: str) -> Path:
        """Return where the bare repository lies."""


class Account(Place, Protocol):
    """A place whose repositories are made through an API."""

    server: ApiServer
    creation: Fault
    """Matches the request that makes a repository."""
    method: str
    """The exporter's method for this host."""

    def shown(self, name: str) -> dict[str, Any]:
        """Return description, topics, private and default_branch as the host has them."""

    def export_to(self, exporter: RepositoryExporter, full_name: str, commit: str, **options: Any) -> dict[str, Any]:
        """Export to an organisation's or group's repository."""


class Work:
    """A project with a git store of its own, from which commits are exported."""

    def __init__(self, folder: Path) -> None:
        self.project_id = str(uuid4())
        self.pauses: list[float] = []
        self.exporter = RepositoryExporter(self.project_id, sleep=self.pauses.append)
        self.store = GitStore.for_project(self.project_id)
        self._folder = folder / self.project_id

    def commit(self, content: str, *, parent: str | None = None) -> str:
        workspace = Workspace(self._folder / uuid4().hex)
        workspace.write("README.md", content.encode())
        return commit_all(self.store, workspace, message="Generate", parent=parent, when=WHEN).commit


def branches(bare: Path) -> dict[str, str]:
    said = git("--git-dir", str(bare), "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads")
    return dict(line.split() for line in said.splitlines())


def commit_of_somebody(bare: Path, *, on: str | None = None, branch: str = "main") -> str:
    """Put a commit into a bare repository that no project of ours knows."""
    tree = git("--git-dir", str(bare), "mktree", given="").strip()
    parents = ("-p", on) if on else ()
    made = git("--git-dir", str(bare), "commit-tree", tree, *parents, "-m", "By somebody").strip()
    git("--git-dir", str(bare), "update-ref", f"refs/heads/{branch}", made)
    return made


def git(*arguments: str, given: str | None = None) -> str:
    """Run git as somebody who is none of ours."""
    who = {
        f"GIT_{role}_{part}": "somebody@example.org" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")
    }
    done = subprocess.run(["git", *arguments], env=who, input=given, check=True, capture_output=True, text=True)
    return done.stdout
