"""RepositoryExporter: delivers what was generated, as an archive or as a repository.

What a host takes and how it is pushed to is `hosts`'; which user may do it, and the record of it, is
`backend.apps.exports.services.deliver`'s.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backend.apps.projects.hosts.base import Host
from backend.apps.projects.hosts.git import GitHost
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.project_generator import ProjectGenerator
from backend.failpoints import Failpoint, reached


class RepositoryExporter:
    """The exports of a project, or of one generation of it.

    project_id, generation_id: UUIDs. Raises InvalidInput for what is none.
    """

    def __init__(self, project_id: str, *, generation_id: str | None = None) -> None:
        self.project_id = project_id
        self.generator = ProjectGenerator(project_id, generation_id=generation_id)

    def export_as_zip(self) -> Path:
        """Package the workspace as zip and return where the archive is."""
        return self.generator.package_project("zip")

    def export_as_tar(self) -> Path:
        """Package the workspace as tar.gz and return where the archive is."""
        return self.generator.package_project("tar.gz")

    def export_to_git(
        self,
        *,
        commit: str,
        url: str | None = None,
        repository_name: str | None = None,
        branch: str = "main",
        credential_file: Path | None = None,
    ) -> dict[str, Any]:
        """Push a commit of the project to a git remote and return what is there now.

        url: an https address, or http on this machine; repository_name: a bare repository below
        LOCAL_REPOSITORIES_DIR, made when it is missing. Exactly one of the two.
        credential_file: holds the token and nothing else, mode 0600.
        A branch that is at the commit already is left as it is, and one that has moved on too.
        Raises InvalidInput, Diverged, RepositoryExists, CredentialRejected, RemoteRefused, RemoteUnreachable.
        """
        return self._export(
            GitHost(url=url, repository_name=repository_name, branch=branch, credential_file=credential_file),
            commit=commit,
        )

    def _export(self, host: Host, *, commit: str) -> dict[str, Any]:
        store = GitStore.for_project(self.project_id)
        delivered = host.push(target=host.find_or_create(), store=store, commit=commit)
        reached(Failpoint.PUSHED)
        return delivered.as_result()
