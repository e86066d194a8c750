"""Giving git a token: through a program that answers for one origin only, and reads the token from its file.

So the token is in no command line, environment, URL or configuration. A question about any other origin (after
a redirect, or a rewritten URL) gets no answer.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from backend.apps.credentials.secret import Secret
from backend.errors import ConfigurationError, InvalidInput

# Fixed text: what varies comes in variables, quoted, so that nothing in it is read as a pattern or a command.
PROGRAM = """#!/bin/sh
case "$1" in
"Username for '$REPOMILL_ORIGIN': ") printf '%s\\n' "$REPOMILL_USERNAME" ;;
"Password for '$REPOMILL_ASKED': ") exec cat "$REPOMILL_CREDENTIAL_FILE" ;;
*) exit 1 ;;
esac
"""
_USERNAME = re.compile(r"[A-Za-z0-9._-]{1,100}", re.ASCII)


@contextmanager
def answering(*, origin: str, username: str, credential_file: Path) -> Iterator[Mapping[str, str]]:
    """Give the variables that let git ask for this credential, for as long as the block lasts.

    Raises ConfigurationError for a file that others can read, InvalidInput for a user name with odd characters.
    """
    if not _USERNAME.fullmatch(username):
        raise InvalidInput("The credential's user name has characters that it may not have.", field="username")
    _require_private(credential_file)
    with TemporaryDirectory(prefix="repomill-askpass-") as folder:
        program = Path(folder) / "askpass"
        program.write_text(PROGRAM)
        program.chmod(0o700)
        yield {
            "GIT_ASKPASS": str(program),
            "REPOMILL_ORIGIN": origin,
            "REPOMILL_ASKED": origin.replace("://", f"://{username}@", 1),
            "REPOMILL_USERNAME": username,
            "REPOMILL_CREDENTIAL_FILE": str(credential_file),
        }


def forms_of_secret(*, username: str, credential_file: Path) -> tuple[str, ...]:
    """Return every spelling in which the other side might send the token back, to be removed from what it says."""
    _require_private(credential_file)
    return tuple(Secret(credential_file.read_text().strip()).forms(username=username))


def _require_private(credential_file: Path) -> None:
    try:
        found = credential_file.lstat()
    except FileNotFoundError:
        raise ConfigurationError("The file with the credential is not there.", field="credential_file") from None
    if not stat.S_ISREG(found.st_mode) or found.st_mode & 0o077:
        raise ConfigurationError(
            "The file with the credential can be read by others.", field="credential_file", hint="Give it mode 0600."
        )
