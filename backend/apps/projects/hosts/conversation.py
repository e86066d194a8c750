"""One call of a host's API: whatever goes wrong in it becomes an error of Repomill's, in the host's words.

It decides nothing about trying again; the errors say whether it would help.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from backend.apps.projects.hosts.answers import Manners, refusal
from backend.apps.projects.hosts.api_session import ForeignOrigin, Unwelcome
from backend.apps.projects.services.git_words import clean
from backend.errors import RemoteRefused, RemoteUnreachable

_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half of a character, which JSON can spell and which stands in no address."""


@contextmanager
def conversing(manners: Manners) -> Iterator[None]:
    """Translate what the session raises. Raises as `answers.refusal`, and RemoteUnreachable for a broken connection.

    None of them has the original as its cause: its text has not been cleaned of the credential.
    """
    try:
        yield
    except Unwelcome as unwelcome:
        raise refusal(unwelcome.answer, manners=manners) from None
    except ForeignOrigin:
        raise RemoteRefused(
            f"{manners.host} sends to another address; that is not followed.", hint="Give the host's own address."
        ) from None
    except (requests.exceptions.RequestException, ConnectionError, TimeoutError) as error:
        if isinstance(error, requests.exceptions.SSLError) and not _broke_off(error):
            raise RemoteRefused(
                f"The certificate of {manners.host} is not trusted here: {_short(error, manners)}",
                hint="Set SSL_CERT_FILE to the file of its authority.",
            ) from None
        raise RemoteUnreachable(
            f"{manners.host} cannot be reached: {_short(error, manners)}",
            hint="Check the address and the network; the export may be repeated without harm.",
        ) from None


def text(data: Any, name: str, *, manners: Manners, optional: bool = False) -> str:  # noqa: ANN401  (JSON)
    """Return a text of an answer. Raises RemoteRefused where it is missing."""
    value = data.get(name) if isinstance(data, dict) else None
    if isinstance(value, str) and (value or optional) and not _SURROGATE.search(value):
        return value
    if optional and value is None:
        return ""
    raise RemoteRefused(
        f"{manners.host} answers in a way that is not understood: there is no {name}.",
        hint="Check that the base_url of the credential is the host's.",
    )


def number(data: Any, name: str, *, manners: Manners) -> str:  # noqa: ANN401  (JSON)
    """Return a number of an answer as text. Raises RemoteRefused where it is missing."""
    value = data.get(name) if isinstance(data, dict) else None
    if isinstance(value, bool) or not isinstance(value, int):
        raise RemoteRefused(
            f"{manners.host} answers in a way that is not understood: there is no {name}.",
            hint="Check that the base_url of the credential is the host's.",
        )
    return str(value)


def _broke_off(error: BaseException | None) -> bool:
    """Say whether the other side ended the connection while it was made secure, as one that restarts does."""
    while error is not None and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        error = error.__context__
    return error is not None


def _short(error: Exception, manners: Manners) -> str:
    return clean(str(error), secrets=manners.secrets, limit=300)
