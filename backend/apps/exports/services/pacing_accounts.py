"""Whose limits a delivery counts against: one credential at one host.

The secret itself is kept nowhere; a keyed hash of it stands for the account, whatever name the credential has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.utils.crypto import salted_hmac

from backend.apps.authentication.models import User
from backend.apps.credentials.hosts import host_kind
from backend.apps.credentials.selectors import get_credential, namable_credentials
from backend.apps.credentials.services.secrets import open_secret
from backend.apps.exports.pacing import SPACING, Account
from backend.apps.exports.services.access import Access
from backend.apps.exports.services.pacing_store import Pacer
from backend.apps.projects.hosts.request_watch import watching
from backend.errors import NotFound


def account_of(
    export_type: str, destination: Mapping[str, Any], *, user: User, project_id: UUID | None = None
) -> Account | None:
    """Return the account that a destination's credential stands for; None for a destination that has no limits.

    project_id: None where it is about many projects; then a credential counts that is shared with one of the user's.
    """
    if export_type not in SPACING or "credential" not in destination:
        return None
    name = destination["credential"]
    try:
        found = get_credential(user=user, name=name, project_id=project_id)
    except NotFound:
        shared = namable_credentials(user=user).filter(name=name).first() if project_id is None else None
        if shared is None:
            raise
        found = shared
    return _account(export_type, secret=open_secret(found).reveal(), base_url=found.base_url)


@contextmanager
def keeping_pace(host: str, access: Access) -> Iterator[None]:
    """Have every request to the host's API asked for before it is sent, and learned from afterwards."""
    pacer = Pacer(_account(host, secret=access.secret.reveal(), base_url=access.base_url))
    pacer.introduce(access.name)
    with watching(pacer):
        yield


def _account(host: str, *, secret: str, base_url: str | None) -> Account:
    public = base_url in (None, host_kind(host).base_url)
    key = salted_hmac("repomill.pacing", f"{host} {base_url if not public else ''} {secret}", algorithm="sha256")
    return Account(kind=host, key=key.hexdigest()[:40], public=public)
