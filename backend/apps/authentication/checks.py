"""Checks at start that the key which signs tokens is one of its own, and long enough for its algorithm."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

SHORTEST_KEY = 32
"""Bytes; HS256 wants a key as long as its hash."""


def check_signing_key(**_: Any) -> list[CheckMessage]:  # noqa: ANN401  (Django's signature of a check)
    """Return an error when tokens could be forged with a key that is short, or known from elsewhere."""
    key = str(settings.SIMPLE_JWT.get("SIGNING_KEY") or "")
    if len(key.encode()) < SHORTEST_KEY:
        return [
            Error(
                f"The key that signs tokens is shorter than {SHORTEST_KEY} bytes.",
                hint="Delete jwt_signing_key in the data folder's secrets; the next start makes a good one.",
                id="authentication.E001",
            )
        ]
    if key == settings.SECRET_KEY:
        return [
            Error(
                "The key that signs tokens is the same as SECRET_KEY.",
                hint="Give SIMPLE_JWT['SIGNING_KEY'] a key of its own.",
                id="authentication.E002",
            )
        ]
    return []
