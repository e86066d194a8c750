"""Where a delivery would go, by the same checks that it makes before anything is sent.

It asks no host, opens no credential and changes nothing: whether the repository is there, and whose account a token is,
stays unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from backend.apps.authentication.models import User
from backend.apps.credentials.hosts import host_kind
from backend.apps.exports.services.access import credential_for, git_credential_for
from backend.apps.projects.hosts import github, gitlab
from backend.apps.projects.hosts.addresses import local_address, remote_address, site, valid_branch
from backend.apps.projects.hosts.wishes import Wish, topics_of, visibility_of
from backend.apps.workflows.definitions.unknown import Unknown, is_known
from backend.errors import InvalidInput

THIS_MACHINE = "this machine"
_RULES = {"github": github.RULES, "gitlab": gitlab.RULES}
_TOKEN = "the token that is given"  # noqa: S105  (what a person reads)


@dataclass(frozen=True, kw_only=True)
class Destination:
    """Where a delivery would go.

    address: of the host. repository: its full name there, in which the account may be an Unknown. visibility: of a new
    repository; None for git. access: the credential's name, or what stands for it; None where none is needed.
    """

    host: str
    address: str
    repository: str
    branch: str
    visibility: str | None
    access: str | None


def hosted_destination(host: str, arguments: Mapping[str, Any], *, user: User, project_id: UUID | None) -> Destination:
    """Return where a delivery to GitHub or GitLab would go, by the arguments of its task.

    Raises what the delivery raises before it sends anything: InvalidInput, and NotFound for the credential.
    """
    name = arguments["repository_name" if host == "github" else "project_name"]
    owner = arguments.get("organization" if host == "github" else "namespace")
    if host == "github":
        private = arguments.get("private", True)
        visibility = private if isinstance(private, Unknown) else visibility_of(private)
    else:
        visibility = arguments.get("visibility", "private")
    _check_wish(host, name=name, owner=owner, visibility=visibility, arguments=arguments)
    base_url, access = arguments.get("base_url"), arguments.get("credential")
    if access is None:
        access = _TOKEN
    elif not isinstance(access, Unknown):
        if base_url is not None:
            raise InvalidInput("A credential goes to its own host.", field="base_url", hint="Leave it out.")
        base_url = credential_for(access, host=host, project_id=project_id, user=user).base_url
    address = base_url if isinstance(base_url, Unknown) else site(host=host, base_url=base_url).url
    if isinstance(access, Unknown):
        address = Unknown.of(f"the address of the credential {access}")
    whose = owner or Unknown.of(f"the account of {access}")
    return Destination(
        host=host,
        address=address,
        repository=f"{whose}/{name}",
        branch=_branch(arguments),
        visibility=visibility,
        access=access,
    )


def git_destination(arguments: Mapping[str, Any], *, user: User, project_id: UUID | None) -> Destination:
    """Return where a delivery to a git remote would go. Raises as `hosted_destination` does."""
    url, name, access = (arguments.get(key) for key in ("url", "repository_name", "credential"))
    address, repository = (THIS_MACHINE, str(name)) if url is None else (str(url), str(url))
    if url is None and not isinstance(name, Unknown):
        repository = local_address(name or "").name
    elif url is not None and not isinstance(url, Unknown):
        found = remote_address(url)
        address, repository = (found.origin or THIS_MACHINE), found.name
        if access is not None and not isinstance(access, Unknown):
            git_credential_for(access, url=url, project_id=project_id, user=user)
    if (access or arguments.get("token")) and url is None:
        raise InvalidInput(
            "A repository on this machine is reached without a credential.", field="credential", hint="Leave it out."
        )
    return Destination(
        host="git",
        address=address,
        repository=repository,
        branch=_branch(arguments),
        visibility=None,
        access=access or (_TOKEN if arguments.get("token") else None),
    )


def title_of(host: str) -> str:
    """Return what people call a kind of host."""
    return host_kind(host).title


def _branch(arguments: Mapping[str, Any]) -> str:
    branch = arguments.get("branch", "main")
    return branch if isinstance(branch, Unknown) else valid_branch(branch)


def _check_wish(host: str, *, name: Any, owner: Any, visibility: Any, arguments: Mapping[str, Any]) -> None:  # noqa: ANN401
    """Check what is wanted of the repository, as far as all of it is known."""
    topics, description = arguments.get("topics", ()), arguments.get("description", "")
    if is_known([name, owner, visibility, topics, description]):
        _RULES[host].check(
            Wish(name=name, owner=owner, visibility=visibility, description=description, topics=topics_of(topics))
        )
