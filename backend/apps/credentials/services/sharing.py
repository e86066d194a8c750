"""Shares a credential with a project's members, or takes it back: it is encrypted anew, bound to the new circle."""

from __future__ import annotations

from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from backend.apps.credentials.models import Credential
from backend.apps.credentials.services.encryption import encrypt
from backend.apps.credentials.services.secrets import open_secret
from backend.errors import Conflict


def share_credential(*, credential: Credential, project_id: UUID | None) -> Credential:
    """Let the members of a project use the credential, and nobody else but its owner; None takes it back.

    The caller has got it from `selectors`, as its owner, and has checked that the owner may change the project.
    Raises Conflict where the project has one of that name, or the credential was changed meanwhile;
    CredentialUnreadable, CredentialKeyMissing.
    """
    before = bytes(credential.ciphertext)
    secret = open_secret(credential, used=False)
    credential.project_id = project_id
    try:
        with transaction.atomic():
            encrypted = encrypt(secret, bound_to=credential.bound_to())
            changed = Credential.objects.filter(pk=credential.pk, ciphertext=before).update(
                project_id=project_id,
                ciphertext=encrypted.ciphertext,
                key_id=encrypted.key_id,
                updated_at=timezone.now(),
            )
    except IntegrityError as error:
        raise Conflict(
            f"The project has a credential {credential.name!r} already.",
            field="project",
            hint="Add it by another name.",
        ) from error
    if not changed:
        raise Conflict("The credential was changed meanwhile.", hint="Read it again.")
    credential.refresh_from_db()
    return credential
