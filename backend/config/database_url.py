"""What DATABASE_URL says: SQLite, or PostgreSQL, as Django is told of it. Nothing is connected to here.

sqlite:////var/lib/repomill/repomill.sqlite3
postgres://user:password@db.example.org:5432/repomill?sslmode=verify-full
"""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

from backend.config.addresses import has_possible_port
from backend.errors import ConfigurationError

VARIABLE = "DATABASE_URL"
_POSTGRESQL = {"postgres", "postgresql", "pgsql"}
_IN_MEMORY = "sqlite://:memory:"


def check_database_url(url: str) -> None:
    """Raise ConfigurationError, which does not show the URL, unless it names an SQLite file or a PostgreSQL."""
    try:
        parts = urlsplit(url)
        # Of two slashes and a path, the first folder would be taken for a host, and be lost.
        fits = url == _IN_MEMORY or (parts.scheme == "sqlite" and not parts.netloc) or _is_postgresql(parts)
    except ValueError:
        fits = False
    if not fits:
        raise ConfigurationError(
            f"{VARIABLE} must be of the form postgres://user:password@host:5432/name, or sqlite:////path/of/the/file.",
            field=VARIABLE,
            hint="Only PostgreSQL and SQLite are supported. A slash, a colon, an @ in a password is %2F, %3A, %40.",
        )


def database_of(url: str, *, lease_seconds: int) -> dict[str, Any]:
    """Return what belongs into DATABASES for a URL that was checked."""
    # Not above: who only reads the settings does not need it.
    import dj_database_url

    parsed: dict[str, Any] = dict(dj_database_url.parse(url))
    if parsed["ENGINE"] == "django.db.backends.sqlite3":
        parsed["OPTIONS"] = {
            # A writer takes its lock at BEGIN: a transaction that reads first and writes later cannot fail midway.
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
        }
        return parsed
    # A process that was stopped, or cut off from the network, in the middle of a transaction keeps its locks for as
    # long as its connection seems to live. Its work is given to another one after the lease, so its locks must be.
    idle = f"-c idle_in_transaction_session_timeout={lease_seconds}s"
    options = parsed.setdefault("OPTIONS", {})
    options["options"] = f"{idle} {options.get('options', '')}".rstrip()
    # The reconciler knows our own connections by it.
    options.setdefault("application_name", "repomill")
    # The server plans the engine's few statements once per connection. PgBouncer lets this through since 1.21.
    options.setdefault("server_side_binding", True)
    options.setdefault("prepare_threshold", 3)
    return parsed


def _is_postgresql(parts: SplitResult) -> bool:
    named = bool(parts.path.strip("/")) or "service" in parse_qs(parts.query)
    return parts.scheme in _POSTGRESQL and named and has_possible_port(parts)
