"""The errors of Repomill: what they are called, and what the caller may do about them.

An error carries its *meaning* and takes no decision: whether a task is tried again is decided by
`backend.apps.workflows.decisions.retry`, an HTTP status by `backend.api.errors`, an exit code by
`backend.cli.exit_codes`.

    RepomillError                     internal_error
    ├── InvalidInput                  invalid_input         the caller's data; nothing was changed
    │   ├── InvalidPath               invalid_path          backend.apps.projects.errors
    │   ├── InvalidTemplate           invalid_template      backend.apps.projects.errors
    │   ├── QuotaExceeded             quota_exceeded        backend.apps.projects.errors
    │   │   └── OrganisationFull      organisation_full     backend.apps.projects.errors
    │   ├── InvalidEndpoint           invalid_endpoint      backend.apps.agents.errors
    │   ├── InvalidDefinition         invalid_definition    backend.apps.workflows.errors
    │   ├── InvalidExpression         invalid_expression    backend.apps.workflows.errors
    │   ├── ExportNotReady            export_not_ready      backend.apps.exports.errors
    │   ├── PayloadTooLarge           payload_too_large     backend.api.errors
    │   └── IdempotencyKeyReused      idempotency_key_reused  backend.api.errors
    ├── NotFound                      not_found             absent, or a stranger's
    ├── PermissionRefused             permission_denied
    │   └── LinkExpired               link_expired          backend.apps.exports.errors
    ├── Conflict                      conflict              the present state does not allow it
    │   ├── IdempotencyKeyInUse       idempotency_key_in_use  backend.api.errors; passes by itself
    │   ├── RepositoryExists          repository_exists     backend.apps.projects.errors
    │   ├── OrganisationInactive      organisation_inactive  backend.apps.projects.errors
    │   ├── FileChanged               precondition_failed   backend.apps.projects.errors
    │   ├── ContentMissing            content_missing       backend.apps.projects.errors
    │   ├── Diverged                  diverged              backend.apps.projects.errors
    │   ├── FolderLocked              folder_locked         backend.cli.errors
    │   ├── StackRunning              stack_running         backend.cli.errors
    │   └── CredentialUnreadable      credential_unreadable  backend.apps.credentials.errors
    ├── RemoteRefused                 remote_refused        another system said no, in its own words
    │   ├── CredentialRejected        credential_rejected   backend.apps.credentials.errors
    │   └── APIError                  api_error             backend.apps.agents.errors
    ├── TemporaryFailure              temporary_failure     retryable
    │   ├── RemoteUnreachable         remote_unreachable
    │   ├── RateLimited               rate_limited          with retry_after
    │   │   └── OrganisationBusy      organisation_busy     backend.apps.projects.errors
    │   ├── WorkspaceBusy             workspace_busy        backend.apps.projects.errors
    │   ├── MigrationHeldUp           migration_held_up     backend.cli.errors
    │   ├── StorageUnavailable        storage_unavailable   backend.apps.projects.errors
    │   ├── PortTaken                 port_taken            backend.cli.errors
    │   └── StackNotReady             stack_not_ready       backend.cli.errors
    ├── GitFailed                     git_failed            backend.apps.projects.errors
    ├── InDoubt                       in_doubt              the outcome cannot be known; a person decides
    ├── ProcessDied                   process_died          backend.cli.errors
    ├── TimeLimitExceeded             time_limit_exceeded
    ├── WorkersLost                   workers_lost          the work itself may end whatever does it
    └── ConfigurationError            configuration_error   a setting is missing or senseless
        └── CredentialKeyMissing      credential_key_missing  backend.apps.credentials.errors
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

LONGEST_NUMBER = 14_000
"""Bits of the longest whole number that Python writes out, rounded down."""


class RepomillError(Exception):
    """Something inside Repomill went wrong."""

    code: ClassVar[str] = "internal_error"
    retryable: bool = False
    waits: ClassVar[bool] = False
    """Whether it is nobody's failure that one has to wait as long as it says: such a wait uses up no retry."""

    def __init__(
        self,
        message: str | None = None,
        *,
        retry_after: float | None = None,
        hint: str | None = None,
        **place: Any,  # noqa: ANN401  (a place is JSON: line, path, field, expected)
    ) -> None:
        """Build the error.

        message: what happened, for a person; the class docstring's first line when absent.
        retry_after: seconds that the other side asked to wait; only meaningful when retryable.
        hint: what to do next, one sentence.
        place: where it happened and what was expected there (`line`, `path`, `field`, `expected`).
        """
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        self.retry_after = retry_after
        self.hint = hint
        self.place = {name: value for name, value in place.items() if value is not None}
        super().__init__(self.message)

    def as_json(self) -> dict[str, Any]:
        """Return the error as it is stored and shown: code, message, and where present hint, retry_after and place."""
        shown: dict[str, Any] = {"code": self.code, "message": self.message, "retryable": self.retryable}
        if self.retry_after is not None:
            shown["retry_after"] = self.retry_after
        if self.hint:
            shown["hint"] = self.hint
        storable: dict[str, Any] = _storable(shown | self.place)
        return storable


def _storable(value: Any) -> Any:  # noqa: ANN401  (JSON)
    """Return JSON with what PostgreSQL cannot keep spelled out: NUL characters, halves of surrogate pairs, no numbers.

    The words of an error are often another system's, its place is whatever another package's code has put there, and an
    error that cannot be written back would never end a task.
    """
    if isinstance(value, str):
        return value.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_storable(str(name)): _storable(part) for name, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_storable(part) for part in value]
    if isinstance(value, int):
        return value if value.bit_length() <= LONGEST_NUMBER else "a number of too many digits"
    if value is None or (isinstance(value, float) and math.isfinite(value)):
        return value
    return _storable(str(value))


class InvalidInput(RepomillError):
    """The input is not valid."""

    code = "invalid_input"


class NotFound(RepomillError):
    """There is no such thing."""

    code = "not_found"


class PermissionRefused(RepomillError):
    """The user may not do this."""

    code = "permission_denied"


class Conflict(RepomillError):
    """The present state does not allow it."""

    code = "conflict"


class RemoteRefused(RepomillError):
    """The other system refused."""

    code = "remote_refused"


class TemporaryFailure(RepomillError):
    """It did not work this time; it may work later."""

    code = "temporary_failure"
    retryable = True


class RemoteUnreachable(TemporaryFailure):
    """The other system cannot be reached."""

    code = "remote_unreachable"


class RateLimited(TemporaryFailure):
    """The other system asks to wait."""

    code = "rate_limited"
    waits = True


class InDoubt(RepomillError):
    """Whether it happened cannot be known; a person has to look."""

    code = "in_doubt"


class TimeLimitExceeded(RepomillError):
    """It took longer than its time limit."""

    code = "time_limit_exceeded"


class WorkersLost(RepomillError):
    """One worker after the other was lost with it."""

    code = "workers_lost"


class ConfigurationError(RepomillError):
    """A setting is missing or senseless."""

    code = "configuration_error"


def place_of(error: BaseException) -> str:
    """Return where in the code an error was raised, as FILE:LINE: what of an unknown one may be told in a log."""
    frames = error.__traceback__
    while frames is not None and frames.tb_next is not None:
        frames = frames.tb_next
    return f"{frames.tb_frame.f_code.co_filename}:{frames.tb_lineno}" if frames else "an unknown place"
