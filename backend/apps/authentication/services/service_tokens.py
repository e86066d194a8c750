"""Makes and revokes the tokens that programs act with. `service_token_authentication` reads them.

A token never does more than its user may at that moment, within its scopes. It outlives a change of the user's
password, as programs do, and is refused while the account is inactive.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from backend.apps.authentication.models import ServiceToken, User
from backend.apps.authentication.project_access import project_access
from backend.apps.authentication.roles import Scope
from backend.errors import Conflict, InvalidInput, NotFound, PermissionRefused

PREFIX = "rmt_"
"""What every token begins with, so that one that leaked is recognised."""
SECRET_BYTES = 32
SHOWN_CHARACTERS = 4
DEFAULT_DAYS = 90
LONGEST_DAYS = 366
LONGEST_NAME = 100


@dataclass(frozen=True)
class NewToken:
    """A token that was made: the row, and the only time that its value is seen."""

    row: ServiceToken
    value: str


def add_token(
    *, user: User, name: str, scopes: Collection[str], days: int = DEFAULT_DAYS, project_id: UUID | None = None
) -> NewToken:
    """Make a token that acts in the user's name.

    name: tells the user's tokens apart. scopes: of `Scope`; reading is included always. days: until it expires.
    project_id: the only project it is good for; None for all that the user may see.
    Raises InvalidInput for values that cannot be, NotFound for a project that the user may not see, Conflict for a name
    that is taken, PermissionRefused for an inactive user, and for one who acts with a token themselves.
    """
    if not user.is_active or user.grant is not None:
        raise PermissionRefused("A token cannot make tokens." if user.is_active else "The user is deactivated.")
    wanted = _checked_scopes(scopes)
    _check(name, days=days)
    if project_id is not None and project_access().role_in(user, project_id) is None:
        raise NotFound(f"There is no project '{project_id}'.", field="project", hint="Check the id.")
    value = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    row = ServiceToken(
        user=user,
        name=name,
        digest=digest_of(value),
        ending=value[-SHOWN_CHARACTERS:],
        scopes=wanted,
        project_id=project_id,
        expires_at=timezone.now() + timedelta(days=days),
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict(
            f"There is a token named {name!r} already.", field="name", hint="Revoke it first, or choose another name."
        ) from error
    return NewToken(row, value)


def revoke_token(*, token: ServiceToken) -> None:
    """End a token at once: whoever has it is refused from now on."""
    token.delete()


def digest_of(value: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()


def _checked_scopes(scopes: Collection[str]) -> list[str]:
    unknown = sorted(set(scopes) - set(Scope))
    if unknown:
        raise InvalidInput(f"There is no scope {unknown[0][:50]!r}.", field="scopes", expected=", ".join(Scope))
    return [scope.value for scope in Scope if scope in {Scope.READ, *scopes}]


def _check(name: str, *, days: int) -> None:
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise InvalidInput(f"A name has 1 to {LONGEST_NAME} printable characters.", field="name")
    if not 1 <= days <= LONGEST_DAYS:
        raise InvalidInput(f"A token is good for 1 to {LONGEST_DAYS} days.", field="expires_in_days")
