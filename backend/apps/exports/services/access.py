"""The secret that a delivery is done with: of the credential it names, opened for its user at the moment it is used.

It checks that the credential is for the host that is delivered to: its secret goes nowhere else. A token that was given
with the work itself goes to the public host, or to the one that was given with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from backend.apps.authentication.models import User
from backend.apps.credentials.hosts import host_kind
from backend.apps.credentials.models import Credential
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.selectors import get_credential
from backend.apps.credentials.services.secrets import open_secret
from backend.apps.projects.models import Project
from backend.errors import InvalidInput
from backend.origins import read_web_address


@dataclass(frozen=True, kw_only=True)
class Access:
    """A secret, and what it is for.

    base_url: None for the public host of its kind. name: owner and name of its credential, empty for a token of one
        run.
    """

    secret: Secret
    username: str
    base_url: str | None = None
    name: str = ""


def open_access(
    *,
    credential: str | None,
    token: Secret | None = None,
    base_url: str | None = None,
    host: str,
    project: Project,
    user: User,
) -> Access:
    """Return the access to a host with an API.

    credential: a name, or else token: the secret itself, and with it base_url of a host that is not the public one.
    Raises NotFound, InvalidInput for a credential of another kind of host and unless exactly one is given,
    CredentialUnreadable, CredentialKeyMissing.
    """
    if (credential is None) == (token is None):
        raise InvalidInput(
            f"Give either a credential or a {host}_token.",
            field="credential",
            expected="the name of a credential; see: repomill credentials list",
        )
    if token is not None:
        return Access(secret=token, username=host_kind(host).username, base_url=base_url)
    if base_url is not None:
        raise InvalidInput(
            "A credential goes to its own host.", field="base_url", hint="Leave it out, or name another credential."
        )
    found = credential_for(credential or "", host=host, project_id=project.pk, user=user)
    name = f"{found.owner.get_username()}/{found.name}"
    return Access(secret=open_secret(found), username=found.username, base_url=found.base_url, name=name)


def credential_for(name: str, *, host: str, project_id: UUID | None, user: User) -> Credential:
    """Return the credential of that name for a host with an API; nothing is opened. Raises as `open_access` does."""
    found = get_credential(user=user, name=name, project_id=project_id)
    if found.host != host:
        raise InvalidInput(
            f"The credential {found.name!r} is for {host_kind(found.host).title}, not for {host_kind(host).title}.",
            field="credential",
            hint=f"Name one for {host_kind(host).title}: repomill credentials list",
        )
    return found


def open_git_access(credential: str, *, url: str, project: Project, user: User) -> Access:
    """Return the access to one repository by its URL, which lies below the credential's own address.

    Raises as `open_access` does; a credential of any kind of host will do.
    """
    found = git_credential_for(credential, url=url, project_id=project.pk, user=user)
    return Access(secret=open_secret(found), username=found.username, base_url=found.base_url)


def git_credential_for(name: str, *, url: str, project_id: UUID | None, user: User) -> Credential:
    """Return the credential of that name for a URL; nothing is opened. Raises as `open_git_access` does."""
    found = get_credential(user=user, name=name, project_id=project_id)
    wanted, own = read_web_address(url), read_web_address(found.base_url)
    same = (
        wanted is not None
        and own is not None
        and wanted.origin == own.origin
        and f"{wanted.path}/".startswith(f"{own.path}/")
    )
    if not same:
        raise InvalidInput(
            f"The credential {found.name!r} is for {found.base_url} and is not sent to another address.",
            field="url",
            hint="Give a URL below that address, or a credential for this one.",
        )
    return found
