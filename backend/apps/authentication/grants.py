"""Grants outside a request: as work keeps what the token that started it was good for, and as our own tokens carry it.

What a grant means is in `roles`; who may do what is asked of the selectors, as ever.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils import timezone

from backend.apps.authentication.models import ServiceToken
from backend.apps.authentication.roles import Grant, Scope
from backend.errors import PermissionRefused

CLAIM = "grant"
"""The private claim of an access token that was minted for work which a service token started."""


def grant_of(token: ServiceToken) -> Grant:
    """Return what a service token is good for. A scope that this version does not know counts for nothing."""
    return Grant(_known(token.scopes), token.project_id, token.pk)


def as_json(grant: Grant | None) -> dict[str, Any] | None:
    """Return a grant as it is kept and carried; None for a user who acts themselves."""
    if grant is None:
        return None
    return {
        "scopes": sorted(grant.scopes),
        "project": None if grant.project_id is None else str(grant.project_id),
        "token": None if grant.token_id is None else str(grant.token_id),
    }


def from_json(kept: Any) -> Grant | None:  # noqa: ANN401  (what a row or a claim holds)
    """Return the grant that was kept. Raises ValueError for what is none: it never stands for a user without limits."""
    if kept is None:
        return None
    if not isinstance(kept, dict) or not isinstance(kept.get("scopes"), list):
        raise ValueError("It is no grant.")
    return Grant(_known(kept["scopes"]), _identifier(kept, "project"), _identifier(kept, "token"))


def require_live(grant: Grant | None) -> None:
    """Do nothing while the token that the grant came from is good. Raises PermissionRefused once it is not."""
    if grant is None or grant.token_id is None:
        return
    if not ServiceToken.objects.filter(pk=grant.token_id, expires_at__gt=timezone.now()).exists():
        raise PermissionRefused(
            "The token that this was started with was revoked, or has expired.",
            field="token",
            hint="Start it again with a token that is good, or as a person: rerun the execution.",
        )


def _known(scopes: list[Any]) -> frozenset[Scope]:
    return frozenset(scope for scope in Scope if scope in scopes)


def _identifier(kept: dict[str, Any], name: str) -> UUID | None:
    """Return the id under a name, which must be there: a limit that went missing is no wider one."""
    if name not in kept or not isinstance(kept[name], str | None):
        raise ValueError(f"The grant has no {name}.")
    return None if kept[name] is None else UUID(kept[name])
