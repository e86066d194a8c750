"""Takes literal secrets out of a config before it is stored, and puts them back as `Secret` where the work is done.

Where they stand is `backend.apps.credentials.services.literal_secrets`' to say; what keeps and opens single ones is
`backend.apps.credentials.services.sealed_secrets`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction

from backend.apps.credentials.secret import HIDDEN, Secret
from backend.apps.credentials.services.literal_secrets import Place, changed, literals, replaced, require_nowhere_else
from backend.apps.credentials.services.sealed_secrets import is_reference, seal, unseal


def seal_tokens(config: Mapping[str, Any], *, execution_id: UUID) -> dict[str, Any]:
    """Return the config with references in place of its literal secrets; the given one is left as it is.

    Everything is checked before anything is kept. Raises InvalidInput, which repeats no secret, as `literals` does, and
    where a secret stands elsewhere in the config too.
    """
    found = literals(config)
    if not found:
        return dict(config)
    require_nowhere_else(replaced(config, dict.fromkeys(found)), found)
    with transaction.atomic():
        return replaced(config, {place: seal(secret, execution_id=execution_id) for place, secret in found.items()})


def open_tokens(config: Mapping[str, Any], *, execution_id: UUID) -> dict[str, Any]:
    """Return the config with a `Secret` in place of each reference that `seal_tokens` put there.

    Raises NotFound for a reference of another execution, CredentialUnreadable, CredentialKeyMissing.
    """

    def opened(value: Any, place: Place) -> Any:  # noqa: ANN401, ARG001  (JSON)
        return unseal(value, execution_id=execution_id) if is_reference(value) else value

    return changed(config, opened)


def hide_tokens(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config with one and the same mark for all secrets, literal or sealed: what it asks for beside them."""
    return changed(config, lambda value, place: HIDDEN if isinstance(value, str) and value else value)  # noqa: ARG005


def secrets_in(value: Any) -> list[Secret]:  # noqa: ANN401  (JSON with secrets in it)
    """Return the opened secrets of a config."""
    if isinstance(value, Secret):
        return [value]
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return [secret for part in inner for secret in secrets_in(part)]
