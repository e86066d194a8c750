"""Adds a credential, or gives one another value; where wanted the host is asked first, and what it rejects is not kept.

What REST and the console do alike; the command line asks and keeps in steps of its own, since it shows what it does.
"""

from __future__ import annotations

from uuid import UUID

from backend.apps.authentication.models import User
from backend.apps.authentication.project_access import project_access
from backend.apps.authentication.roles import Right
from backend.apps.credentials.models import Credential
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.check import ask_host, keep_finding
from backend.apps.credentials.services.host_answers import Finding
from backend.apps.credentials.services.keeping import (
    new_credential,
    replace_secret,
    require_free_name,
    store_credential,
)


def add_checked(
    *,
    user: User,
    name: str,
    host: str,
    secret: Secret,
    base_url: str | None,
    username: str | None,
    project_id: UUID | None,
    check_with_host: bool,
) -> Credential:
    """Keep a secret under a name. project_id: a project whose members may use it too, and that the user may change.

    Raises as `new_credential`, `store_credential` and `ask_host` do, NotFound and PermissionRefused for the project.
    """
    if project_id is not None:
        project_access().find(user, str(project_id), Right.WRITE)
    row = new_credential(
        user=user,
        name=name,
        host=host,
        secret=secret,
        base_url=base_url,
        username=username,
        project_id=project_id,
    )
    require_free_name(row)
    finding = _asked(row, secret, wanted=check_with_host)
    store_credential(row, secret=secret)
    return _with_finding(row, finding)


def rotate_checked(*, credential: Credential, secret: Secret, check_with_host: bool) -> Credential:
    """Give a credential another value. Raises as `replace_secret` and `ask_host` do; the old one stays then."""
    finding = _asked(credential, secret, wanted=check_with_host)
    replace_secret(credential=credential, secret=secret)
    return _with_finding(credential, finding)


def _asked(row: Credential, secret: Secret, *, wanted: bool) -> Finding | None:
    return ask_host(host=row.host, base_url=row.base_url, secret=secret) if wanted else None


def _with_finding(row: Credential, finding: Finding | None) -> Credential:
    if finding is not None:
        keep_finding(row, finding)
    return row
