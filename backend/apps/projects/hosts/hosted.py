"""Hosts with an API: a repository is found or made through it, filled by git, and then given its final settings.

What all of them share is here: recognising what this project made, refusing what it did not, waiting for what is not
ready, and pushing to the one address that the credential is for. What differs is behind `RepositoryApi`: one module
for each kind of host.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import sleep as real_sleep
from typing import Protocol

from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.secrets import secret_file
from backend.apps.projects.errors import CredentialRejected, RepositoryExists
from backend.apps.projects.hosts.addresses import Site, remote_address, valid_branch
from backend.apps.projects.hosts.answers import is_taken
from backend.apps.projects.hosts.base import PushResult, Standing, Target
from backend.apps.projects.hosts.git import push_commit
from backend.apps.projects.hosts.marks import is_marked, is_recorded, marked_description, record
from backend.apps.projects.hosts.patience import patiently
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.git_words import clean
from backend.errors import InvalidInput, RemoteRefused, RemoteUnreachable
from backend.failpoints import Failpoint, reached


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A repository as the API describes it. `writable` is False for one that is archived."""

    identity: str
    full_name: str
    html_url: str
    clone_url: str
    description: str = ""
    default_branch: str = ""
    writable: bool = True


class RepositoryApi(Protocol):
    """The calls that differ from host to host. Built with what is wanted: name, owner, visibility, description, topics.

    Each raises CredentialRejected, RateLimited, RemoteUnreachable or RemoteRefused (`answers.refusal` says which), and
    makes at most one change. None of them waits or tries again.
    """

    name: str
    """As in `host:` of a workflow and in the result."""
    site: Site
    """Where it shows its repositories and takes pushes."""
    username: str
    """What git gives as user name beside the token."""

    def full_name(self) -> str:
        """Return owner and name of the wanted repository, with slashes between. Changes nothing."""

    def find(self, full_name: str) -> Repository | None:
        """Return the repository, or None where there is none or the credential may not see it. Changes nothing."""

    def create(self, full_name: str, *, description: str) -> Repository:
        """Make the repository, empty, with this description and the wanted visibility."""

    def settle(self, repository: Repository, *, branch: str) -> Repository:
        """Give it the wanted topics, then in one call the wanted description and the default branch; return it."""


class HostedRepository:
    """One repository on a host with an API; a `Host`.

    project_id: whose repository it is to be. sleep: what waits, in seconds.
    """

    def __init__(
        self,
        *,
        api: RepositoryApi,
        project_id: str,
        token: Secret,
        branch: str = "main",
        sleep: Callable[[float], None] = real_sleep,
    ) -> None:
        self.name = api.name
        self.branch = valid_branch(branch)
        self._api = api
        self._project_id = project_id
        self._token = token
        self._sleep = sleep

    def find_or_create(self) -> Target:
        """Return the repository: the one of that name, else a new and empty one.

        Whether one that was there is this project's is seen for certain when it is pushed to.
        Raises RepositoryExists, CredentialRejected, RemoteRefused, RemoteUnreachable, RateLimited.
        """
        full_name = patiently(sleep=self._sleep)(self._api.full_name)
        try:
            return patiently(sleep=self._sleep, fresh=True, on=_Unseen)(
                lambda: patiently(sleep=self._sleep)(self._find_or_create, full_name)
            )
        except _Unseen as unseen:
            raise RepositoryExists(
                f"{self._api.site.host}: {full_name} is there, and this credential may not see it ({unseen.message})",
                hint="Choose another name, or give a credential that may see the repository.",
            ) from None

    def push(self, *, target: Target, store: GitStore, commit: str) -> PushResult:
        """See that the branch is at the commit, and that a new repository has its final settings; see `Host.push`."""
        origin = self._api.site.origin
        if target.standing is Standing.UNPROVEN and is_recorded(store, origin=origin, identity=target.identity):
            target = replace(target, standing=Standing.KNOWN)
        with secret_file(self._token) as credential_file:
            with_token = replace(target, credential_file=credential_file, username=self._api.username)
            pushed = push_commit(host=self.name, target=with_token, store=store, commit=commit, sleep=self._sleep)
        record(store, origin=origin, identity=target.identity, commit=commit)
        if target.standing is not Standing.FRESH:
            return pushed
        settled = patiently(sleep=self._sleep, fresh=True)(self._settle, target)
        return replace(pushed, default_branch=settled.default_branch or pushed.default_branch)

    def _find_or_create(self, full_name: str) -> Target:
        found = self._api.find(full_name)
        if found is not None:
            return self._target(found, full_name=full_name, standing=self._standing(found))
        description = marked_description(project_id=self._project_id, origin=self._api.site.origin, full_name=full_name)
        try:
            made = self._api.create(full_name, description=description)
        except CredentialRejected:
            raise
        except RemoteRefused as refusal:
            return self._after_refusal(full_name, refusal)
        reached(Failpoint.CREATED)
        return self._target(made, full_name=full_name, standing=Standing.FRESH, created=True)

    def _after_refusal(self, full_name: str, refusal: RemoteRefused) -> Target:
        """Return the repository that a creation was refused for: another attempt may have been quicker."""
        found = self._api.find(full_name) if is_taken(refusal) else None
        if found is not None:
            return self._target(found, full_name=full_name, standing=self._standing(found))
        if is_taken(refusal):
            # Perhaps an earlier attempt made it a moment ago, and not every machine of the host knows of it yet.
            raise _Unseen(refusal.message)
        raise refusal

    def _standing(self, found: Repository) -> Standing:
        marked = is_marked(
            found.description,
            project_id=self._project_id,
            origin=self._api.site.origin,
            full_name=found.full_name,
        )
        return Standing.FRESH if marked else Standing.UNPROVEN

    def _target(self, found: Repository, *, full_name: str, standing: Standing, created: bool = False) -> Target:
        self._require_expected(found, full_name=full_name)
        return Target(
            address=self._api.site.repository(found.full_name),
            branch=self.branch,
            full_name=found.full_name,
            html_url=f"{self._api.site.url}/{found.full_name}",
            created=created,
            adopted=standing is Standing.FRESH and not created,
            standing=standing,
            identity=found.identity,
        )

    def _require_expected(self, found: Repository, *, full_name: str) -> None:
        """Raise RemoteRefused unless the answer is about the wanted repository, on the credential's own host."""
        host = self._api.site.host
        if found.full_name.casefold() != full_name.casefold():
            raise RemoteRefused(
                f"{host} answers with {clean(found.full_name, limit=200)} where {full_name} was asked for.",
                hint="If it was renamed, give its present name.",
            )
        wanted = f"{self._api.site.url}/{found.full_name}".casefold()
        for shown in (found.clone_url, found.html_url):
            if not _is_same(shown, wanted):
                raise RemoteRefused(
                    f"{host} gives {clean(shown, limit=200)!r} as the repository's address, which is another place than"
                    " the credential is for; nothing was pushed.",
                    hint="Give the host's own web address as base_url of the credential.",
                    expected=wanted,
                )
        if not found.writable:
            raise RemoteRefused(
                f"{host}: {found.full_name} is archived and takes no pushes.",
                hint="Unarchive it, or choose another name.",
            )

    def _settle(self, target: Target) -> Repository:
        wanted = Repository(
            identity=target.identity,
            full_name=target.full_name,
            html_url=target.html_url,
            clone_url=target.address.url,
        )
        try:
            return self._api.settle(wanted, branch=target.branch)
        except RemoteRefused as refusal:
            if refusal.place.get("status") == 404:
                raise RemoteUnreachable(
                    f"{self._api.site.host}: the new repository is not ready yet.", hint="Try again in a moment."
                ) from None
            raise


class _Unseen(RemoteRefused):
    """The host says that the repository exists, and does not show it."""


def _is_same(shown: str, wanted: str) -> bool:
    try:
        address = remote_address(shown)
    except InvalidInput:
        return False
    return address.url.removesuffix(".git").casefold() == wanted
