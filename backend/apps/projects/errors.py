"""The errors of projects: their paths, templates, quotas, workspaces and the hosts they are exported to.

What the caller may do about each is its meaning (`retryable`, `hint`); who decides is named in `backend.errors`.
"""

from __future__ import annotations

from backend.apps.credentials.errors import CredentialRejected as CredentialRejected
from backend.errors import Conflict, InvalidInput, RateLimited, RepomillError, TemporaryFailure


class InvalidPath(InvalidInput):
    """The path cannot be used in a project.

    place: `path`, and `rule`, the stable name of the rule that it breaks (see `backend.apps.projects.services.paths`).
    """

    code = "invalid_path"


class InvalidArchive(InvalidInput):
    """The archive cannot be read, or holds what no project can hold.

    place: `path`, the entry, where it is one entry's fault.
    """

    code = "invalid_archive"


class InvalidTemplate(InvalidInput):
    """The template cannot be rendered.

    place: `template`, the name of the template, and `line` where it is known.
    """

    code = "invalid_template"


class QuotaExceeded(InvalidInput):
    """The project is larger than its limits allow.

    place: `limit`, the name of the limit, `maximum`, its value, and `value`, what was asked for.
    """

    code = "quota_exceeded"


class OrganisationFull(QuotaExceeded):
    """The organisation's plan holds no more."""

    code = "organisation_full"


class OrganisationBusy(RateLimited):
    """The organisation's plan lets no more projects be generated at once.

    It passes by itself, so a task waits and uses up no retry.
    """

    code = "organisation_busy"


class OrganisationInactive(Conflict):
    """The organisation is not active, so nothing new begins in its projects."""

    code = "organisation_inactive"


class WorkspaceBusy(TemporaryFailure):
    """Somebody else is writing to the workspace at the moment."""

    code = "workspace_busy"
    waits = True


class RepositoryExists(Conflict):
    """A repository of this name exists and was not made by this project."""

    code = "repository_exists"


class FileChanged(Conflict):
    """The file is not what it was expected to be.

    place: `path`, and `digest`, the SHA-256 of what is there; without it nothing is.
    """

    code = "precondition_failed"


class ContentMissing(Conflict):
    """The storage does not hold what was generated.

    place: `commit`, and `digest`, the SHA-256 of the object that is missing or is not what it was.
    """

    code = "content_missing"


class StorageUnavailable(TemporaryFailure):
    """The storage that the hosts share does not answer, or refuses."""

    code = "storage_unavailable"


class Diverged(Conflict):
    """The remote repository has moved on since the last export."""

    code = "diverged"


class GitFailed(RepomillError):
    """Git could not do it."""

    code = "git_failed"

    def __init__(
        self,
        message: str | None = None,
        *,
        words: str = "",
        output: bytes = b"",
        timed_out: bool = False,
        disk_full: bool = False,
    ) -> None:
        """Build the error.

        words: what git said on standard error, cleaned. output: what it had answered until then.
        timed_out: whether it was ended because it took too long.
        disk_full: whether the disk took no more; such a failure passes, and is tried again.
        """
        super().__init__(message, hint="Free space on the disk of the git stores." if disk_full else None)
        self.retryable = disk_full
        self.words = words
        self.output = output
        self.timed_out = timed_out
