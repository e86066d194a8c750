"""Encrypts one secret so that it opens only in the row it was made for: AES-256-GCM with the row bound to it.

What is bound is no secret but must be the same when it is opened: whose row it is, and where the secret may be sent. So
whoever can write to the database, but has no key, can neither swap two rows' secrets nor send one somewhere else.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from django.db import connection, transaction

from backend.apps.credentials.errors import CredentialUnreadable
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services import keyring

NONCE_BYTES = 12
FORMAT = b"\x01"
"""The first byte of everything encrypted: AES-256-GCM, a nonce of 12 bytes, then the ciphertext with its tag."""
_KEYS = int.from_bytes(b"rm keys", "big")
"""The number of the lock."""


@dataclass(frozen=True)
class Encrypted:
    """An encrypted secret, and the id of the key it needs."""

    key_id: str
    ciphertext: bytes


def encrypt(secret: Secret, *, bound_to: bytes) -> Encrypted:
    """Encrypt with the newest key, which stays in the file until the transaction ends: the row is written in it too.

    Raises ConfigurationError where there is no key and none can be made, TransactionManagementError outside of one.
    """
    # A process that meets no secret does without 8 MB.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    hold_keys()
    key = keyring.load(create=True).newest
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = AESGCM(key.material).encrypt(nonce, secret.reveal().encode(), bound_to)
    return Encrypted(key.id, FORMAT + nonce + sealed)


def decrypt(encrypted: Encrypted, *, bound_to: bytes) -> Secret:
    """Return the secret.

    Raises CredentialKeyMissing without its key, CredentialUnreadable when anything about it was changed.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key = keyring.load(create=False).get(encrypted.key_id)
    start = len(FORMAT) + NONCE_BYTES
    data = bytes(encrypted.ciphertext)
    if not data.startswith(FORMAT) or len(data) <= start:
        raise _unreadable()
    try:
        return Secret(AESGCM(key.material).decrypt(data[len(FORMAT) : start], data[start:], bound_to).decode())
    except InvalidTag:
        raise _unreadable() from None


def hold_keys(*, alone: bool = False) -> None:
    """Let nobody take keys away until the transaction ends; `alone`, for who does: wait until nobody else holds them.

    Raises TransactionManagementError outside of a transaction.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("Keys are held in the transaction that writes the row.")
    # On SQLite whoever has begun a transaction is the only writer.
    if connection.vendor == "postgresql":
        taken = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {taken}(%s)", [_KEYS])


def _unreadable() -> CredentialUnreadable:
    return CredentialUnreadable(
        "The stored secret is not what Repomill stored here; its row was changed or copied by something else.",
        hint="Find out who writes to the database, then give the credential its value anew: repomill credentials rotate"
        " NAME",
    )
