"""The words of a credential that people choose: its name, and the user name that goes with it. Pure."""

from __future__ import annotations

import re
from typing import Final

from backend.errors import InvalidInput

NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?", re.ASCII)
# What git's askpass passes on without quoting.
USERNAME: Final = re.compile(r"[A-Za-z0-9._-]{1,100}", re.ASCII)
# The beginnings of tokens: nobody names a credential so, but a token is easily typed in the wrong place.
_TOKEN: Final = re.compile(r"(?:gh[a-z]_|github_pat_|gl[a-z]{1,6}-[a-z0-9_.-]{16,}|eyj)", re.IGNORECASE)


def valid_name(name: str) -> str:
    """Return the name of a credential. Raises InvalidInput, which repeats no text that may be a token."""
    expected = "a-z 0-9 . _ -, beginning and ending with a letter or a digit, 63 at most, such as acme-bot"
    if _TOKEN.match(name):
        raise InvalidInput(
            "This looks like a token and not like the name of a credential.",
            field="name",
            expected=expected,
            hint="Revoke it if it was one: command lines are kept and shown. The value is asked for or read.",
        )
    if not NAME.fullmatch(name):
        raise InvalidInput("This cannot be the name of a credential.", field="name", expected=expected)
    return name


def is_name(text: str) -> bool:
    """Return whether a text can be the name of a credential; what cannot is neither looked for nor repeated."""
    return isinstance(text, str) and NAME.fullmatch(text) is not None and _TOKEN.match(text) is None


def valid_username(username: str) -> str:
    """Return the user name that goes with a secret. Raises InvalidInput."""
    if not USERNAME.fullmatch(username):
        raise InvalidInput(
            "This cannot be the user name of a credential.", field="username", expected="1 to 100 of A-Z a-z 0-9 . _ -"
        )
    return username
