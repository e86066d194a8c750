"""The credential that a delivery names, opened for the user on whose behalf it is done, at the moment it is used.

It checks that the credential is for the host that is delivered to: its secret goes nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from backend.apps.authentication.models import User
from backend.apps.credentials.hosts import host_kind
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.selectors import get_credential
from backend.apps.credentials.services.sealed_secrets import is_reference, unseal
from backend.apps.credentials.services.secrets import open_secret
from backend.apps.projects.models import Project
from backend.errors import InvalidInput
from backend.origins import read_web_address


@dataclass(frozen=True, kw_only=True)
class Access:
    """A secret, and what it is for. base_url: None for the public host of its kind."""

    secret: Secret
    username: str
    base_url: str | None = None


def open_access(credential: str, *, host: str, project: Project, user: User, execution_id: UUID | None) -> Access:
    """Return the access to a host that a credential gives.

    credential: a name, or the reference of a secret that was given with this execution, which is for the public host.
    Raises NotFound, InvalidInput for a credential of another kind of host, CredentialUnreadable, CredentialKeyMissing.
    """
    if execution_id is not None and is_reference(credential):
        return Access(secret=unseal(credential, execution_id=execution_id), username=host_kind(host).username)
    found = get_credential(user=user, name=credential, project_id=project.pk)
    if found.host != host:
        raise InvalidInput(
            f"The credential {found.name!r} is for {host_kind(found.host).title}, not for {host_kind(host).title}.",
            field="credential",
            hint=f"Name one for {host_kind(host).title}: repomill credentials list",
        )
    return Access(secret=open_secret(found), username=found.username, base_url=found.base_url)


def open_git_access(credential: str, *, url: str, project: Project, user: User) -> Access:
    """Return the access to one repository by its URL, which lies below the credential's own address.

    Raises as `open_access` does; a credential of any kind of host will do.
    """
    found = get_credential(user=user, name=credential, project_id=project.pk)
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
    return Access(secret=open_secret(found), username=found.username, base_url=found.base_url)
