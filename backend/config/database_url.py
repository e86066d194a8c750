"""Which databases Repomill works on, told by DATABASE_URL. What Django makes of it is in `backend.config.settings`."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from backend.errors import ConfigurationError

VARIABLE = "DATABASE_URL"
_POSTGRESQL = {"postgres", "postgresql", "pgsql"}


def check_database_url(url: str) -> None:
    """Raise ConfigurationError, which does not show the URL, unless it is PostgreSQL's or SQLite's."""
    try:
        fits = _is_ours(url)
    except ValueError:
        fits = False
    if not fits:
        raise ConfigurationError(
            f"{VARIABLE} must be of the form postgres://user:password@host:5432/name or sqlite:////absolute/path.",
            field=VARIABLE,
            hint="Repomill works on PostgreSQL and SQLite. A slash in a password is written %2F.",
        )


def _is_ours(url: str) -> bool:
    if url == "sqlite://:memory:":
        return True
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        # Of two slashes and a path, the first folder would be taken for a host, and be lost.
        return not parts.netloc
    # Asked for, since a port that is none is told only then.
    named = parts.port != 0 and (parts.path.strip("/") or "service" in parse_qs(parts.query))
    return parts.scheme in _POSTGRESQL and bool(named)
