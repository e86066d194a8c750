"""What a host said of a credential, or why it said nothing: asked for a value that is not stored yet, and shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils import timezone
from rich.console import Console
from rich.text import Text

from backend.apps.credentials.errors import CredentialRejected
from backend.apps.credentials.models import Credential
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.check import Concern, ask_host, check_credential, concerns
from backend.apps.credentials.services.host_answers import Finding
from backend.cli import credential_view
from backend.cli.messages import error_lines
from backend.errors import RemoteRefused, RepomillError, TemporaryFailure


@dataclass(frozen=True)
class Result:
    """What came of asking; both are None where nobody was asked."""

    finding: Finding | None = None
    failure: RepomillError | None = None


def try_out(row: Credential, secret: Secret) -> Result:
    """Ask the host about a value that is not stored yet.

    Raises CredentialRejected for what the host does not accept; any other failure is returned.
    """
    try:
        return Result(ask_host(host=row.host, base_url=row.base_url, secret=secret))
    except CredentialRejected as error:
        error.hint = f"Nothing was stored. {error.hint}"
        raise
    except (RemoteRefused, TemporaryFailure) as error:
        return Result(failure=error)


def check(row: Credential) -> Result:
    """Check a stored credential; a failure is returned."""
    try:
        return Result(check_credential(row))
    except RepomillError as error:
        return Result(failure=error)


def result_json(row: Credential, result: Result, *, projects: Mapping[UUID, str]) -> dict[str, Any]:
    """Return a credential, and what was said of it, as JSON."""
    finding, failure = result.finding, result.failure
    return {
        **credential_view.as_json(row, projects=projects),
        "check": None if finding is None else credential_view.finding_json(finding, _concerns(row, finding)),
        "error": None if failure is None else failure.as_json(),
    }


def show_result(row: Credential, result: Result, *, said: str) -> None:
    """Print a sentence, and below it what was said of the credential."""
    finding, failure = result.finding, result.failure
    console = Console(highlight=False)
    console.print(Text(said))
    for line in [] if finding is None else credential_view.finding_lines(finding, _concerns(row, finding), row=row):
        console.print(line, soft_wrap=True)
    for text in [] if failure is None else error_lines(failure):
        console.print(Text(f"  {text.replace('error:', '! not checked:', 1)}", "yellow"), soft_wrap=True)


def _concerns(row: Credential, finding: Finding) -> list[Concern]:
    return concerns(finding, host=row.host, now=timezone.now())
