"""What every host of repositories can do, and the values it works with. It does nothing itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from backend.apps.projects.hosts.addresses import Address
from backend.apps.projects.services.git_store import GitStore

DEFAULT_USERNAME = "git"


@dataclass(frozen=True, kw_only=True)
class Target:
    """A repository that is there, and the branch of it that is pushed to.

    `credential_file` holds the token and nothing else, mode 0600; `username` goes with it.
    `created` says whether this call made the repository, which may then need a moment before it takes a push.
    """

    address: Address
    branch: str
    full_name: str
    html_url: str
    created: bool = False
    credential_file: Path | None = None
    username: str = DEFAULT_USERNAME


@dataclass(frozen=True, kw_only=True)
class PushResult:
    """What is on the host now. `pushed` is False when the commit was there already."""

    host: str
    full_name: str
    html_url: str
    clone_url: str
    default_branch: str
    branch: str
    commit: str
    created: bool
    pushed: bool

    def as_result(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


class Host(Protocol):
    """One place for one repository: GitHub, GitLab, or any git remote. Built with the name and the credential."""

    name: str

    def find_or_create(self) -> Target:
        """Return the repository: the one that this project made before, else a new and empty one.

        Raises RepositoryExists for a stranger's, CredentialRejected, RemoteRefused, RemoteUnreachable.
        """

    def push(self, *, target: Target, store: GitStore, commit: str) -> PushResult:
        """See that the branch is at the commit. Never overwrites, and may be repeated.

        Raises Diverged, CredentialRejected, RemoteRefused, RemoteUnreachable.
        """
