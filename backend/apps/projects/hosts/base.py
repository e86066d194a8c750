"""What every host of repositories can do, and the values it works with. It does nothing itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from backend.apps.projects.hosts.addresses import Address
from backend.apps.projects.services.git_store import GitStore

DEFAULT_USERNAME = "git"


class Standing(Enum):
    """Whose a repository is, as far as is known before its commits have been looked at."""

    GIVEN = "given"
    """Somebody named it for this export: it may be empty, or have commits of this project."""
    FRESH = "fresh"
    """Made by this project and not complete yet: as GIVEN, and it may need a moment before it takes a push."""
    KNOWN = "known"
    """This project was delivered to it before, whatever others have added since."""
    UNPROVEN = "unproven"
    """It was found under the wanted name: only commits of this project can show that it is meant."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A repository that is there, and the branch of it that is pushed to.

    `credential_file` holds the token and nothing else, mode 0600; `username` goes with it.
    `created` says whether this call made the repository, `adopted` whether an earlier, interrupted one did.
    `identity` is the host's own id of the repository, where it has one.
    """

    address: Address
    branch: str
    full_name: str
    html_url: str
    created: bool = False
    adopted: bool = False
    standing: Standing = Standing.GIVEN
    identity: str = ""
    credential_file: Path | None = None
    username: str = DEFAULT_USERNAME


@dataclass(frozen=True, kw_only=True)
class PushResult:
    """What is on the host now.

    `created`: this export made the repository. `adopted`: an earlier attempt had made it and was interrupted.
    `pushed` is False when the commit was there already.
    """

    host: str
    full_name: str
    html_url: str
    clone_url: str
    default_branch: str
    branch: str
    commit: str
    created: bool
    pushed: bool
    adopted: bool = False

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
