"""Checks of the secrets themselves: whether somebody could guess them. None of them is shown."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from backend.cli.checks.base import Check, ok, problem, warning
from backend.config.environment import Environment

SIGNING_KEYS = ("secret_key", "jwt_signing_key")
SHORTEST_KEY = 50
FEWEST_CHARACTERS = 12
"""Different ones in a key: Repomill's own has about forty."""
SHORTEST_PASSWORD = 16
NAME = "keys"


def check_keys(environment: Environment) -> Check:
    """Check the keys that sign sessions and tokens, and the passwords of database and broker."""
    for name in SIGNING_KEYS:
        file = environment.secrets_dir / name
        if file.is_file() and is_weak(file.read_text("utf-8", "replace").strip()):
            return problem(
                NAME, f"{file} can be guessed", "Delete it and start again: a good one is made, and all sign in anew."
            )
    passwords = {
        "DATABASE_URL": unquote(urlsplit(environment.database_url).password or ""),
        "REDIS_URL": environment.redis.password,
    }
    for variable, password in passwords.items():
        if password and len(password) < SHORTEST_PASSWORD:
            return warning(
                NAME,
                f"the password in {variable} has fewer than {SHORTEST_PASSWORD} characters",
                "Set a longer one, for example: openssl rand -hex 24",
            )
    return ok(NAME, "long enough")


def is_weak(key: str) -> bool:
    """Say whether a signing key is short, or made of few characters."""
    return len(key) < SHORTEST_KEY or len(set(key)) < FEWEST_CHARACTERS
