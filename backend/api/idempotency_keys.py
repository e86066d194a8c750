"""The claim of an idempotency key, for whatever is to be done once: who is first, and what the first one was asked for.

It knows no requests; `idempotency` puts it around the API's views, and an agent's door around what starts work.
"""

from __future__ import annotations

from uuid import UUID

from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone

from backend.api.errors import IdempotencyKeyInUse, IdempotencyKeyReused
from backend.api.kept_answers import KEPT
from backend.api.models import IdempotentRequest
from backend.errors import InvalidInput

LONGEST_KEY = 255
LOCK_NOT_AVAILABLE = "55P03"
WAIT_SECONDS = 10
"""How long a request waits for the first one with its key on PostgreSQL; on SQLite, as long as for any writer."""


def check_key(key: str, *, field: str) -> str:
    """Return the key. Raises InvalidInput for one that is too long or not printable."""
    if not isinstance(key, str) or not 0 < len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise InvalidInput(
            f"{field} must be 1 to {LONGEST_KEY} printable ASCII characters.",
            field=field,
            hint="Use a random UUID for each thing that is to be done once.",
        )
    return key


def claim_key(*, user_id: UUID, key: str, request_print: str) -> tuple[IdempotentRequest, bool]:
    """Return the key's row, and whether this request is its first. Waits while another one is at work with it.

    The caller is in a transaction, does the work of the first request in it, and keeps the answer in the row. Raises
    IdempotencyKeyInUse when the wait was in vain.
    """
    _bound_waiting(f"'{WAIT_SECONDS}s'")
    try:
        with transaction.atomic():
            IdempotentRequest.objects.filter(user_id=user_id, created_at__lt=timezone.now() - KEPT).delete()
            row = IdempotentRequest.objects.create(user_id=user_id, key=key, fingerprint=request_print)
    except IntegrityError:
        return IdempotentRequest.objects.get(user_id=user_id, key=key), False
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) != LOCK_NOT_AVAILABLE:
            raise
        raise IdempotencyKeyInUse(retry_after=1, hint="Send the same request again in a second.") from error
    _bound_waiting("DEFAULT")
    return row, True


def _bound_waiting(limit: str) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout TO {limit}")


def require_same(row: IdempotentRequest, *, request_print: str, field: str) -> None:
    """Raise IdempotencyKeyReused where the key was claimed for another request."""
    if row.fingerprint != request_print:
        raise IdempotencyKeyReused(
            field=field, hint="Use another key for another request; the same key only to repeat the same request."
        )
