"""Which credentials a user can see and use. It reads rows and opens none."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from backend.apps.authentication.models import User
from backend.apps.authentication.project_access import project_access
from backend.apps.credentials.models import Credential
from backend.apps.credentials.words import is_name
from backend.errors import NotFound, PermissionRefused


def get_credential(*, user: User, name: str, project_id: UUID | None) -> Credential:
    """Return the credential that a name means to a user who works on a project.

    The user's own comes first, then the one that is shared with the project. The caller has checked that the user may
    use the project. Raises NotFound where there is none; a stranger's is none.
    """
    usable = visible_credentials(user=user, project_ids=[project_id] if project_id else [])
    found = sorted(usable.filter(name=name), key=lambda row: row.owner_id != user.pk) if is_name(name) else []
    if not found:
        raise _not_found(name)
    return found[0]


def own_credential(*, user: User, name: str) -> Credential:
    """Return the user's own credential of that name, as those who change it need it. Raises NotFound."""
    usable = visible_credentials(user=user)
    found = usable.filter(owner=user, name=name).first() if is_name(name) else None
    if found is None:
        raise _not_found(name)
    return found


def find_credential(*, user: User, credential_id: UUID, own: bool = False) -> Credential:
    """Return a credential that the user can name, as its page and its address show it.

    own: it is to be changed. Raises NotFound where there is none, PermissionRefused where it is only shared.
    """
    found = namable_credentials(user=user).filter(pk=credential_id).first()
    if found is None:
        raise NotFound(f"There is no credential '{credential_id}'.", field="credential")
    if own and found.owner_id != user.pk:
        raise PermissionRefused(
            "The credential is shared with you, and only its owner changes it.",
            field="credential",
            hint=f"Ask {found.owner.get_username()}.",
        )
    return found


def namable_credentials(*, user: User) -> QuerySet[Credential]:
    """Return the user's own credentials and those shared with any of the user's projects, by name."""
    return visible_credentials(user=user, project_ids=project_access().visible_ids(user))


def visible_credentials(*, user: User, project_ids: Collection[UUID] | QuerySet[Any, Any] = ()) -> QuerySet[Credential]:
    """Return the user's own credentials and those shared with the given projects, by name.

    project_ids: projects that the user is known to belong to. A credential whose owner is no longer active is nobody's.
    """
    if not user.is_active:
        return Credential.objects.none()
    known = project_ids if isinstance(project_ids, QuerySet) else list(project_ids)
    shared = Q(project_id__in=known, owner__is_active=True)
    return Credential.objects.filter(Q(owner=user) | shared).select_related("owner").order_by("name", "id")


def _not_found(name: str) -> NotFound:
    # What is not a name may be a secret that was put in the wrong place.
    shown = f"{name!r}" if is_name(name) else "of that name"
    return NotFound(
        f"There is no credential {shown}.",
        field="credential",
        hint="See which there are: repomill credentials list; or add it: repomill credentials add NAME --host HOST",
    )
