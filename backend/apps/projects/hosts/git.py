"""Pushing to any git remote: a bare repository on this machine, or an address over HTTPS.

What is there is looked at first, so that a repeated push does nothing and a remote that has moved on is never
overwritten.
It calls no host's API; `github` and `gitlab` do, and push through `push_commit` too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import sleep as real_sleep

from backend.apps.projects.errors import GitFailed, RepositoryExists
from backend.apps.projects.hosts.addresses import local_address, remote_address, valid_branch
from backend.apps.projects.hosts.askpass import answering, forms_of_secret
from backend.apps.projects.hosts.base import DEFAULT_USERNAME, PushResult, Standing, Target
from backend.apps.projects.hosts.outcomes import meaning, moved_on, not_followed
from backend.apps.projects.hosts.patience import patiently
from backend.apps.projects.services.git_process import run
from backend.apps.projects.services.git_store import GitStore, create_bare
from backend.errors import InvalidInput, RemoteRefused
from backend.telemetry import tracing

LOOK_SECONDS = 30.0
PUSH_SECONDS = 600.0

_REF_LINE = re.compile(
    rb"(?P<id>[0-9a-f]{40,64})\trefs/heads/(?P<branch>[^\n]+)|ref: refs/heads/(?P<head>[^\t\n]+)\tHEAD"
)


@dataclass(frozen=True)
class Heads:
    """The branches of a remote and the commits that they are at; `default` is the one that HEAD names, if it says."""

    branches: Mapping[str, str]
    default: str | None


class GitHost:
    """Any git remote, by URL or, for a bare repository on this machine, by name. The latter is made if need be."""

    name = "git"

    def __init__(
        self,
        *,
        url: str | None = None,
        repository_name: str | None = None,
        branch: str = "main",
        credential_file: Path | None = None,
        username: str = DEFAULT_USERNAME,
    ) -> None:
        """Check what is given; exactly one of url and repository_name. Raises InvalidInput."""
        if (url is None) == (repository_name is None):
            raise InvalidInput("Give exactly one of `url` and `repository_name`.", field="url")
        self.address = remote_address(url) if url is not None else local_address(repository_name or "")
        self.branch = valid_branch(branch)
        self._credential_file = credential_file
        self._username = username

    def find_or_create(self) -> Target:
        """Return the repository; a local one is made, bare and empty, when it is missing. Raises RemoteRefused."""
        path = self.address.path
        if path is None:
            return self._target(html_url=self.address.url.removesuffix(".git"), created=False)
        created = create_bare(path, branch=self.branch, mode=0o755)
        if not (path / "objects").is_dir():
            raise RemoteRefused(
                f"There is something called {self.address.name!r} that is no git repository.",
                hint="Move it out of the way, or choose another name.",
            )
        return self._target(html_url=path.as_uri(), created=created)

    def push(self, *, target: Target, store: GitStore, commit: str) -> PushResult:
        """See that the branch is at the commit; see `Host.push` and `push_commit`."""
        return push_commit(host=self.name, target=target, store=store, commit=commit)

    def _target(self, *, html_url: str, created: bool) -> Target:
        return Target(
            address=self.address,
            branch=self.branch,
            full_name=self.address.name,
            html_url=html_url,
            created=created,
            credential_file=None if self.address.path else self._credential_file,
            username=self._username,
        )


def push_commit(
    *, host: str, target: Target, store: GitStore, commit: str, sleep: Callable[[float], None] = real_sleep
) -> PushResult:
    """See that the target's branch is at the commit, which the store has.

    Faults of a moment are tried again, see `patience`. It may be repeated after any failure.
    Raises Diverged, RepositoryExists, CredentialRejected, RemoteRefused, RateLimited, RemoteUnreachable.
    """
    store.require_commit(commit)
    pusher = _Pusher(target=target, store=store, commit=commit)
    heads = patiently(sleep=sleep, fresh=target.standing is Standing.FRESH)(pusher.push)
    return PushResult(
        host=host,
        full_name=target.full_name,
        html_url=target.html_url,
        clone_url=target.address.url,
        default_branch=heads.default or target.branch,
        branch=target.branch,
        commit=commit,
        created=target.created,
        adopted=target.adopted,
        pushed=pusher.pushed,
    )


@dataclass
class _Pusher:
    """One push, which may take several tries: `pushed` is True as soon as one of them has sent the commit."""

    target: Target
    store: GitStore
    commit: str
    pushed: bool = field(default=False)

    def push(self) -> Heads:
        """Look at the remote and push if need be; return what it had before."""
        heads = self._look()
        there = heads.branches.get(self.target.branch)
        if there == self.commit:
            return heads
        if self._is_somebody_elses(heads):
            raise RepositoryExists(
                f"{self._shown}: {self.target.full_name} is there and is not this project's; nothing was changed.",
                hint="Choose another name, or a repository that this project was exported to before.",
            )
        if there is not None and not self.store.has(there):
            raise moved_on(self._shown)
        if there is not None and not self.store.is_ancestor(there, of=self.commit):
            raise not_followed(self._shown)
        # Not forced: the remote itself refuses the push if the branch has moved since it was looked at.
        self.pushed = True
        self._git(
            *("push", "--porcelain", "--no-verify", "--", self.target.address.url),
            f"{self.commit}:refs/heads/{self.target.branch}",
            timeout=PUSH_SECONDS,
        )
        return heads

    def _is_somebody_elses(self, heads: Heads) -> bool:
        standing = self.target.standing
        if standing is Standing.KNOWN:
            return False
        if standing is Standing.GIVEN and self.target.branch in heads.branches:
            # Whoever named the repository is told that the branch has moved on.
            return False
        has_content = bool(heads.branches) or standing is Standing.UNPROVEN
        return has_content and not any(map(self.store.has, heads.branches.values()))

    def _look(self) -> Heads:
        answer = self._git(
            *("ls-remote", "--symref", "--", self.target.address.url, "HEAD", "refs/heads/*"), timeout=LOOK_SECONDS
        )
        branches, default = {}, None
        for line in answer.splitlines():
            found = _REF_LINE.fullmatch(line)
            if found and found["head"]:
                default = found["head"].decode("utf-8", "replace")
            elif found:
                branches[found["branch"].decode("utf-8", "replace")] = found["id"].decode()
        return Heads(branches=branches, default=default)

    def _git(self, *arguments: str, timeout: float) -> bytes:
        address = self.target.address
        origin = address.origin or "this machine"
        with tracing.span(f"git {arguments[0]}", kind="client", host=origin), self._credential() as (extra, secrets):
            try:
                return run(
                    *arguments, git_dir=self.store.path, protocols=[address.protocol], extra=extra, timeout=timeout
                ).output
            except GitFailed as failure:
                # Without the failure as its cause: its text has not been cleaned of this credential.
                fresh = self.target.created or self.target.standing is Standing.FRESH
                raise meaning(failure, host=self._shown, created=fresh, secrets=secrets) from None

    @contextmanager
    def _credential(self) -> Iterator[tuple[Mapping[str, str], Sequence[str]]]:
        file, username = self.target.credential_file, self.target.username
        if file is None:
            yield {}, ()
            return
        with answering(origin=self.target.address.origin, username=username, credential_file=file) as variables:
            yield variables, forms_of_secret(username=username, credential_file=file)

    @property
    def _shown(self) -> str:
        return self.target.address.origin.partition("://")[2] or f"The repository {self.target.full_name}"
