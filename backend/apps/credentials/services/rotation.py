"""Encrypting everything anew with the newest key, in batches that can be interrupted and gone on with.

A row is done when it names the newest key, so what is done needs no record of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import transaction

from backend.apps.credentials.errors import CredentialKeyMissing, CredentialUnreadable
from backend.apps.credentials.models import Credential, EncryptedRow, SealedSecret
from backend.apps.credentials.services import keyring
from backend.apps.credentials.services.encryption import Encrypted, decrypt, encrypt, hold_keys

BATCH = 100
_MODELS: tuple[type[EncryptedRow], ...] = (Credential, SealedSecret)


@dataclass(frozen=True)
class Progress:
    """How far it is: rows looked at, of how many, and the ones that could not be opened."""

    done: int
    total: int
    unreadable: tuple[str, ...] = ()


def reencrypt(*, batch: int = BATCH) -> Iterator[Progress]:
    """Encrypt every row that has another key with the newest one; yield the progress first, and after each batch.

    Rows that do not open are left as they are and named at the end. It may be stopped after any batch, and run by
    several at once. Raises ConfigurationError where there are no keys.
    """
    newest = keyring.load(create=True).newest.id
    total = sum(model._default_manager.exclude(key_id=newest).count() for model in _MODELS)
    progress = Progress(0, total)
    yield progress
    for model in _MODELS:
        waiting = model._default_manager.exclude(key_id=newest).order_by("pk")
        last = None
        while rows := list((waiting.filter(pk__gt=last) if last else waiting)[:batch]):
            last = rows[-1].pk
            failed = _batch(rows)
            done = progress.done + len(rows)
            progress = Progress(done, max(total, done), progress.unreadable + tuple(failed))
            yield progress


def drop_unused_keys() -> int:
    """Take the keys out of the file that no row needs; return how many went.

    A backup of the database from before may need them.
    """
    with transaction.atomic():
        # Rows that are being written are seen only once they are committed.
        hold_keys(alone=True)
        used = {
            key_id for model in _MODELS for key_id in model._default_manager.values_list("key_id", flat=True).distinct()
        }
        return keyring.drop_keys(but=used)


def _batch(rows: list[EncryptedRow]) -> list[str]:
    failed = []
    with transaction.atomic():
        for row in rows:
            try:
                secret = decrypt(Encrypted(row.key_id, bytes(row.ciphertext)), bound_to=row.bound_to())
            except (CredentialKeyMissing, CredentialUnreadable):
                failed.append(str(row))
                continue
            encrypted = encrypt(secret, bound_to=row.bound_to())
            # Where somebody gave it another value meanwhile, that one stays; it has the newest key already.
            type(row)._default_manager.filter(pk=row.pk, key_id=row.key_id, ciphertext=bytes(row.ciphertext)).update(
                key_id=encrypted.key_id, ciphertext=encrypted.ciphertext
            )
    return failed
