"""RepositoryExporter: delivers what was generated, as an archive or as a repository.

What a host takes and how it is pushed to is `hosts`'; which user may do it, and the record of it, is
`backend.apps.exports.services.deliver`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from time import sleep as real_sleep
from typing import Any

from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.secrets import secret_file
from backend.apps.projects.hosts.base import DEFAULT_USERNAME, Host
from backend.apps.projects.hosts.git import GitHost
from backend.apps.projects.hosts.hosted import HostedRepository, RepositoryApi
from backend.apps.projects.hosts.tokens import as_token
from backend.apps.projects.hosts.wishes import Wish, topics_of, visibility_of
from backend.apps.projects.models import GeneratedProject
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.project_generator import ProjectGenerator, require_uuid
from backend.errors import Conflict
from backend.failpoints import Failpoint, reached


class RepositoryExporter:
    """The exports of a project, or of one generation of it.

    project_id, generation_id: UUIDs. Raises InvalidInput for what is none. sleep: what waits, in seconds.

    Every `export_to_...` pushes one commit and returns what is on the host then: host, full_name, html_url, clone_url,
    default_branch, branch, commit, and whether it was created, adopted and pushed just now. Without `commit` it is the
    generation's, or the newest completed generation's. It may be repeated after any failure: what is there already is
    left as it is, a branch that has moved on is never overwritten, a repository of somebody else's never touched.
    Tokens are given as text or as a `Secret`, and go nowhere but to the host of base_url.
    Raises InvalidInput, RepositoryExists, Diverged, CredentialRejected, RemoteRefused, RemoteUnreachable, RateLimited.
    """

    def __init__(
        self,
        project_id: str,
        *,
        generation_id: str | None = None,
        sleep: Callable[[float], None] = real_sleep,
    ) -> None:
        self.project_id = require_uuid(project_id, field="project_id")
        self.generation_id = None if generation_id is None else require_uuid(generation_id, field="generation_id")
        self._sleep = sleep

    @cached_property
    def generator(self) -> ProjectGenerator:
        """The workspace, for an archive of it. A push takes what was committed, and makes none where there is none."""
        return ProjectGenerator(self.project_id, generation_id=self.generation_id)

    def export_as_zip(self) -> Path:
        """Package the workspace as zip and return where the archive is."""
        return self.generator.package_project("zip")

    def export_as_tar(self) -> Path:
        """Package the workspace as tar.gz and return where the archive is."""
        return self.generator.package_project("tar.gz")

    def export_to_git(
        self,
        url: str | None = None,
        *,
        repository_name: str | None = None,
        commit: str | None = None,
        branch: str = "main",
        token: str | Secret | None = None,
        username: str = DEFAULT_USERNAME,
        credential_file: Path | None = None,
    ) -> dict[str, Any]:
        """Push to a git remote that is there.

        url: an https address, or http on this machine; repository_name: a bare repository below
        LOCAL_REPOSITORIES_DIR, made when it is missing. Exactly one of the two.
        token: with its username, or in a file of mode 0600 that holds nothing else.
        """
        with ExitStack() as stack:
            if token is not None:
                credential_file = stack.enter_context(secret_file(as_token(token)))
            host = GitHost(
                url=url,
                repository_name=repository_name,
                branch=branch,
                credential_file=credential_file,
                username=username,
            )
            return self._export(host, commit=commit)

    def export_to_github(
        self,
        github_token: str | Secret,
        repository_name: str,
        organization: str | None = None,
        private: bool = True,
        *,
        description: str = "",
        topics: Sequence[str] = (),
        branch: str = "main",
        commit: str | None = None,
        base_url: str | None = None,
    ) -> dict[str, Any]:
        """Push to a repository on GitHub, which is made when it is missing.

        organization: whose it is to be; by default the token's own account's. base_url: of an Enterprise server.
        description, topics and branch, which becomes the default, are given to a new repository and not changed later.
        """
        token = as_token(github_token)
        wish = Wish(
            name=repository_name,
            owner=organization,
            visibility=visibility_of(private),
            description=description,
            topics=topics_of(topics),
        )
        # Here and not above: PyGithub is large, and most processes never speak to GitHub.
        from backend.apps.projects.hosts.github import GitHubApi

        api = GitHubApi(wish=wish, token=token, base_url=base_url, sleep=self._sleep)
        return self._export(self._hosted(api, token=token, branch=branch), commit=commit)

    def export_to_gitlab(
        self,
        gitlab_token: str | Secret,
        project_name: str,
        namespace: str | None = None,
        visibility: str = "private",
        *,
        description: str = "",
        topics: Sequence[str] = (),
        branch: str = "main",
        commit: str | None = None,
        base_url: str | None = None,
    ) -> dict[str, Any]:
        """Push to a project on GitLab, which is made when it is missing.

        project_name: its path. namespace: the full path of a group, nested ones with slashes; by default the token's
        own account. visibility: private, internal or public. base_url: of a GitLab of one's own.
        description, topics and branch, which becomes the default, are given to a new project and not changed later.
        """
        token = as_token(gitlab_token)
        wish = Wish(
            name=project_name,
            owner=namespace,
            visibility=visibility,
            description=description,
            topics=topics_of(topics),
        )
        from backend.apps.projects.hosts.gitlab import GitLabApi

        api = GitLabApi(wish=wish, token=token, base_url=base_url)
        return self._export(self._hosted(api, token=token, branch=branch), commit=commit)

    def _hosted(self, api: RepositoryApi, *, token: Secret, branch: str) -> Host:
        return HostedRepository(api=api, project_id=str(self.project_id), token=token, branch=branch, sleep=self._sleep)

    def _export(self, host: Host, *, commit: str | None) -> dict[str, Any]:
        store = GitStore.for_project(self.project_id)
        commit = self._commit() if commit is None else commit
        # Before a repository is made that nothing could be pushed to.
        store.require_commit(commit)
        delivered = host.push(target=host.find_or_create(), store=store, commit=commit)
        reached(Failpoint.PUSHED)
        return delivered.as_result()

    def _commit(self) -> str:
        generations = GeneratedProject.objects.filter(
            project_id=self.project_id, status=GeneratedProject.Status.COMPLETED
        )
        if self.generation_id is not None:
            generations = generations.filter(pk=self.generation_id)
        newest = generations.order_by("-completed_at", "-created_at").first()
        if newest is None:
            raise Conflict("Nothing has been generated for this project yet.", hint="Generate its files first.")
        return newest.commit
