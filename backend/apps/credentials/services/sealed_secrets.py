"""Secrets that were given with one execution: kept encrypted for that execution alone.

What is stored or sent holds a reference in their place. The reference is no secret: only code that works for the same
execution can open it.
"""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from backend.apps.credentials.models import SealedSecret
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.encryption import Encrypted, decrypt, encrypt
from backend.errors import NotFound

PREFIX = "secret:"


def seal(value: str | Secret, *, execution_id: UUID) -> str:
    """Keep a value for an execution and return the reference that stands for it.

    Raises InvalidInput for what cannot be a secret, ConfigurationError.
    """
    secret = value if isinstance(value, Secret) else Secret(value)
    row = SealedSecret(execution_id=execution_id)
    with transaction.atomic():
        encrypted = encrypt(secret, bound_to=row.bound_to())
        row.ciphertext, row.key_id = encrypted.ciphertext, encrypted.key_id
        row.save(force_insert=True)
    return f"{PREFIX}{row.pk}"


def unseal(reference: str, *, execution_id: UUID) -> Secret:
    """Return the secret that a reference stands for.

    Raises NotFound for one of another execution, or that was forgotten; CredentialUnreadable, CredentialKeyMissing.
    """
    row = None
    if is_reference(reference):
        row = SealedSecret.objects.filter(pk=reference.removeprefix(PREFIX), execution_id=execution_id).first()
    if row is None:
        raise NotFound(
            "There is no such secret in this execution.",
            field="secret",
            hint="What was given with an execution is gone with it: start a new one, and better give the name of a"
            " credential.",
        )
    return decrypt(Encrypted(row.key_id, bytes(row.ciphertext)), bound_to=row.bound_to())


def forget(execution_id: UUID) -> int:
    """Remove the secrets of an execution; return how many there were."""
    return SealedSecret.objects.filter(execution_id=execution_id).delete()[0]


def is_reference(value: object) -> bool:
    """Return whether a value is written like a reference to a sealed secret."""
    if not isinstance(value, str) or not value.startswith(PREFIX):
        return False
    identifier = value.removeprefix(PREFIX)
    try:
        return str(UUID(identifier)) == identifier
    except ValueError:
        return False
