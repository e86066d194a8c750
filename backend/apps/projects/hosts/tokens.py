"""What a token must be like before it is put into a header. What keeps it is `backend.apps.credentials`."""

from __future__ import annotations

import re

from backend.apps.credentials.secret import Secret
from backend.apps.projects.hosts.wishes import require_text
from backend.errors import InvalidInput

_TOKEN = re.compile(r"[!-~]+", re.ASCII)


def as_token(given: str | Secret) -> Secret:
    """Return a token as a secret. Raises InvalidInput, which does not repeat it, for what no host has given out."""
    secret = given if isinstance(given, Secret) else Secret(require_text(given, field="token"))
    # The library that writes the header would repeat what it cannot write.
    if not _TOKEN.fullmatch(secret.reveal()):
        raise InvalidInput(
            "The token has characters that no token has.",
            field="credential",
            expected="ASCII letters, digits and signs without spaces",
            hint="Copy the token again, without what is around it.",
        )
    return secret
