"""What REPOMILL_MAIL_URL says: the server that takes mails, and whose they are. Nothing is connected to here.

smtps://USER:PASSWORD@mail.example.org?from=repomill@example.org         TLS from the start, port 465
smtp://USER:PASSWORD@mail.example.org?from=repomill@example.org          TLS by STARTTLS, port 587
smtp://relay:25?from=repomill@example.org&tls=no                         a relay nearby, without a password
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from backend.errors import ConfigurationError

VARIABLE = "REPOMILL_MAIL_URL"
EXAMPLE = "smtps://user:password@mail.example.org?from=repomill@example.org"
PORTS = {"smtps": 465, "smtp": 587}
SECONDS = 10
"""How long a server that says nothing is waited for: Django would do it without end."""
_ADDRESS = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")


def check_mail_url(url: str) -> None:
    """Raise ConfigurationError, which does not show the URL, unless it is one of the forms, or empty."""
    if not url:
        return
    try:
        fits = _fits(urlsplit(url))
    except ValueError:
        fits = False
    if not fits:
        raise ConfigurationError(
            f"{VARIABLE} must be of a form such as {EXAMPLE}; without a password also smtp://host?from=...&tls=no.",
            field=VARIABLE,
            hint="A slash, a colon or an @ in a password is written %2F, %3A or %40.",
        )


def mail_settings(url: str) -> dict[str, Any]:
    """Return Django's settings for a URL that was checked; for the empty one, those that are no matter of a server."""
    if not url:
        return {"EMAIL_TIMEOUT": SECONDS}
    parts = urlsplit(url)
    given = parse_qs(parts.query)
    return {
        "EMAIL_TIMEOUT": SECONDS,
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or PORTS[parts.scheme],
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_USE_TLS": parts.scheme == "smtp" and "tls" not in given,
        "DEFAULT_FROM_EMAIL": given["from"][0],
    }


def _fits(parts: SplitResult) -> bool:
    given = parse_qs(parts.query, strict_parsing=True)
    plain = given.pop("tls", None)
    return bool(
        parts.scheme in PORTS
        and parts.hostname
        and parts.port != 0
        and parts.path in {"", "/"}
        and bool(parts.username) == bool(parts.password)
        and (plain is None or (plain == ["no"] and parts.scheme == "smtp" and not parts.password))
        and given.keys() == {"from"}
        and len(given["from"]) == 1
        and _ADDRESS.fullmatch(given["from"][0])
    )
