"""Takes in a request for an export: what can be refused at once is, and the rest is a task with a row that can be seen.

The row is made here, pending, under the key of the task that works it off; the worker checks everything once more. A
literal token goes to the task alone, which keeps it encrypted until it has ended: the row never has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import transaction

from backend.apps.authentication.models import User
from backend.apps.authentication.roles import Right
from backend.apps.credentials.hosts import host_kind
from backend.apps.credentials.selectors import get_credential
from backend.apps.exports.models import RepositoryExport
from backend.apps.projects.generation_selectors import get_generation
from backend.apps.projects.hosts.addresses import local_address, remote_address, site, valid_branch
from backend.apps.projects.hosts.wishes import Wish, topics_of, visibility_of
from backend.apps.projects.models import GeneratedProject
from backend.apps.projects.services.packaging import completed_generation
from backend.apps.workflows.services import enqueue_method
from backend.errors import InvalidInput

TOKENS: Final = {"github": "github_token", "gitlab": "gitlab_token", "git": "token"}
"""What each host's task calls a token that is given with it."""
_ARCHIVES: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "zip": ("export.export_as_zip", {}),
    "tar": ("export.export_as_tar", {"compressed": False}),
    "tar.gz": ("export.export_as_tar", {"compressed": True}),
}


def request_export(
    *,
    user: User,
    generation_id: UUID,
    project_id: UUID | None = None,
    export_type: str,
    repository_name: str = "",
    options: Mapping[str, Any] | None = None,
) -> RepositoryExport:
    """Record an export of a completed generation, pending, and send it to the workers.

    repository_name: of a repository; archives have a name of their own. options: as the export's task takes them,
    beside the name. Raises NotFound and PermissionRefused for the generation, Conflict where it is not completed, and
    InvalidInput for options that the host would not take.
    """
    generation = get_generation(user=user, generation_id=generation_id, project_id=project_id, right=Right.RUN)
    completed_generation(project=generation.project, execution_id=None, generation_id=str(generation.pk))
    given = {name: value for name, value in (options or {}).items() if value is not None}
    if export_type in _ARCHIVES:
        method, arguments = _ARCHIVES[export_type]
        if given:
            raise InvalidInput("An archive has no options.", field=f"config.{min(given)}", hint="Leave them out.")
    else:
        arguments = _checked(export_type, repository_name, given, user=user, generation=generation)
        method = f"export.export_to_{export_type}"
    identifier = uuid4()
    with transaction.atomic():
        export = RepositoryExport.objects.create(
            id=identifier,
            key=f"export/{identifier}",
            generated_project=generation,
            export_type=export_type,
            repository_name=repository_name[:200],
            config={"asked": {name: value for name, value in given.items() if name not in TOKENS.values()}},
            created_by=user,
        )
        enqueue_method(
            method=method,
            arguments={**arguments, "generation": str(generation.pk)},
            key=export.key,
            user=user,
            project_id=generation.project_id,
            project_name=generation.project.slug,
        )
    return export


def _checked(
    host: str, name: str, options: dict[str, Any], *, user: User, generation: GeneratedProject
) -> dict[str, Any]:
    """Return the arguments of a host's task, once everything is refused that can be refused without asking the host."""
    valid_branch(options.get("branch", "main"))
    token = TOKENS[host]
    if "credential" in options and token in options:
        raise InvalidInput(f"Give either a credential or a {token}.", field="credential", hint="Leave one of them out.")
    if "credential" in options:
        _require_credential(options["credential"], host=host, user=user, generation=generation)
    if host == "git":
        return _git(name, options)
    if "credential" not in options and token not in options:
        raise InvalidInput(
            f"Give a credential or a {token}.", field="credential", hint="A credential is the safer way."
        )
    if "credential" in options and "base_url" in options:
        raise InvalidInput("A credential goes to its own host.", field="base_url", hint="Leave it out.")
    site(host=host, base_url=options.get("base_url"))
    # Here and not above: their clients are large, and most processes never speak to a host.
    from backend.apps.projects.hosts import github, gitlab

    rules = {"github": github.RULES, "gitlab": gitlab.RULES}[host]
    wish = Wish(
        name=name,
        owner=options.get(rules.owner_field),
        visibility=options.get("visibility", visibility_of(options.get("private", True))),
        description=options.get("description", ""),
        topics=topics_of(options.get("topics", ())),
    )
    rules.check(wish)
    return {**options, rules.name_field: name}


def _git(name: str, options: dict[str, Any]) -> dict[str, Any]:
    if bool(name) == ("url" in options):
        raise InvalidInput("Give either a repository_name or a url.", field="repository_name", expected="one of them")
    if "url" in options:
        remote_address(options["url"])
        return options
    local_address(name)
    if "credential" in options or "token" in options:
        raise InvalidInput("A repository on this machine is reached without a credential.", field="credential")
    return {**options, "repository_name": name}


def _require_credential(name: str, *, host: str, user: User, generation: GeneratedProject) -> None:
    found = get_credential(user=user, name=name, project_id=generation.project_id)
    # A push to a git remote takes a credential of any kind, for an address below its own.
    if host not in (found.host, "git"):
        raise InvalidInput(
            f"The credential {found.name!r} is for {host_kind(found.host).title}, not for {host_kind(host).title}.",
            field="credential",
        )
