"""Turns what a storage raises into our errors: what is missing stays FileNotFoundError, all else may pass.

The libraries of S3 are not imported here: where they are in use, they are there already.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from backend.apps.projects.errors import StorageUnavailable

HINT = "It is tried again. If it stays so, `repomill doctor` says what is wrong with the storage."
RETRY_AFTER = 5.0


@contextmanager
def storage_answers() -> Iterator[None]:
    """Raise StorageUnavailable where a storage elsewhere does not answer, or refuses. Its keys are in no error."""
    try:
        yield
    except _failures() as error:
        raise StorageUnavailable(
            f"The storage that the hosts share did not do it: {_words(error)}.", retry_after=RETRY_AFTER, hint=HINT
        ) from None


def _failures() -> tuple[type[Exception], ...]:
    places = {"botocore.exceptions": ("BotoCoreError", "ClientError"), "boto3.exceptions": ("Boto3Error",)}
    found = [getattr(sys.modules[place], name) for place in places if place in sys.modules for name in places[place]]
    return tuple(found)


def _words(error: Exception) -> str:
    # An answer has a code of a few letters; what the library says of a connection names the address it used.
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return str(code or type(error).__name__)[:60]
