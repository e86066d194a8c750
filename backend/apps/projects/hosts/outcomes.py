"""What git's words about a remote mean: whether to try again, to ask for another credential, or to give up.

Pure: from one failure to one error, which carries the remote's own words without secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from backend.apps.projects.errors import CredentialRejected, Diverged, GitFailed
from backend.apps.projects.hosts.answers import USUAL_WAIT
from backend.apps.projects.services.git_words import clean, says_disk_is_full
from backend.errors import RateLimited, RemoteRefused, RemoteUnreachable, RepomillError, TemporaryFailure

_MOVED_ON = re.compile(r"\((?:fetch first|non-fast-forward|stale info|needs force|already exists)\)")
_RACE = re.compile(
    r"cannot lock ref|failed to (?:update|lock) ref|unable to lock|incorrect old value|reference already exists"
)
_SCOPE = re.compile(r"without [`'\"]?(?P<scope>workflows?)[`'\"]? (?:scope|permission)")
_RULES: tuple[tuple[re.Pattern[str], type[RepomillError], str | None], ...] = (
    (
        re.compile(r"returned error: 429|HTTP 429|too many requests", re.IGNORECASE),
        RateLimited,
        "The host asks to wait.",
    ),
    (
        re.compile(r"returned error: (?:408|5\d\d)|HTTP (?:408|5\d\d)"),
        RemoteUnreachable,
        "The host has a fault of its own; try again later.",
    ),
    (
        re.compile(
            r"Authentication failed|could not read (?:Username|Password)|returned error: 40[13]|HTTP 40[13]"
            r"|HTTP Basic: Access denied|Invalid username or (?:password|token)"
        ),
        CredentialRejected,
        "Give a credential that may write to this repository, or renew the one that was given.",
    ),
    (
        re.compile(r"returned error: 3\d\d|unable to update url base from redirection|redirect"),
        RemoteRefused,
        "The address only leads to another one: give the repository's own.",
    ),
    (
        # Not 404: one machine of the host has just answered, and another may not know the repository yet.
        re.compile(r"(?:returned error:|HTTP) 4(?!04)\d\d"),
        RemoteRefused,
        "It would be refused again. 413: more than the host, or a proxy before it, takes at once; raise that limit.",
    ),
    (
        re.compile(r"SSL certificate|certificate verif|server certificate|SSL: ", re.IGNORECASE),
        RemoteRefused,
        "The host's certificate is not trusted here; set GIT_SSL_CAINFO to the file of its authority.",
    ),
    (
        re.compile(r"repository '[^']*' not found|not valid: is this a git repository|does not appear to be a git"),
        RemoteRefused,
        "There is no repository at this address, or the credential may not see it; make one there first.",
    ),
    (
        re.compile(
            r"Could not resolve|Failed to connect|Couldn't connect|Connection (?:refused|reset|timed out)|timed out"
            r"|timeout|early EOF|hung up unexpectedly|unexpected disconnect|Empty reply|Recv failure|Send failure"
            r"|too slow|RPC failed|HTTP/2 stream|transfer closed|Network is unreachable|No route to host"
            r"|gnutls_handshake|SSL_read|SSL_connect",
            re.IGNORECASE,
        ),
        RemoteUnreachable,
        "Check the address and the network; the export may be repeated without harm.",
    ),
)


def meaning(failure: GitFailed, *, host: str, created: bool = False, secrets: Iterable[str] = ()) -> RepomillError:
    """Return the error that a failed call to a remote stands for.

    host: how to name the remote to a person.
    created: whether the repository was made a moment ago: one that is not found then is not ready yet.
    secrets: exact values that must not be repeated.
    """
    secrets = tuple(secrets)
    words = clean(failure.words, secrets=secrets)
    refused = _refused_lines(clean(failure.output, secrets=secrets))
    said = _remote_lines(words)
    if failure.timed_out:
        return RemoteUnreachable(f"{host} did not answer in time.", hint="Try again later.")
    if says_disk_is_full(words):
        return TemporaryFailure(f"{host} has no space left: {said or words}", hint="Free space on its disk.")
    if refused and _MOVED_ON.search(refused):
        return moved_on(host)
    if refused and _RACE.search(f"{refused}\n{words}"):
        return RemoteUnreachable(
            f"{host} is being pushed to by somebody else: {refused}", hint="Try again in a moment."
        )
    if lacking := _SCOPE.search(f"{refused}\n{said}"):
        return CredentialRejected(
            f"{host} refused the push: {said or refused}",
            hint="Give a credential that may change workflows, or leave .github/workflows out.",
            missing_scope=lacking["scope"],
        )
    if refused:
        return RemoteRefused(
            f"{host} refused the push: {said or refused}",
            hint="Ask who runs the host, or choose another branch or repository.",
            reason=refused,
        )
    for pattern, kind, hint in _RULES:
        if pattern.search(words):
            if created and kind is RemoteRefused and "not " in words:
                return RemoteUnreachable(f"{host} is not ready yet: {said or words}", hint="Try again in a moment.")
            # Git does not show how long the host asks to wait; a limit must not use up retries all the same.
            wait = USUAL_WAIT if kind is RateLimited else None
            return kind(f"{host}: {said or words}", hint=hint, retry_after=wait)
    return RemoteRefused(f"{host} refused: {said or words or failure.message}")


def moved_on(host: str) -> Diverged:
    """Return the error for a branch that has commits of somebody else."""
    return Diverged(
        f"{host}: the branch has commits that are not in this project's history; nothing was overwritten.",
        hint="Export to another branch or repository, and merge there.",
    )


def not_followed(host: str) -> Diverged:
    """Return the error for a branch that is at a commit of this project which the exported one does not follow."""
    return Diverged(
        f"{host}: the branch is at another generation of this project, which this one does not follow; nothing was"
        " overwritten.",
        hint="Export the newest generation, or this one to another branch.",
    )


def _refused_lines(porcelain: str) -> str:
    """Return what `push --porcelain` says of the refs that were not updated."""
    return "\n".join(line.split("\t")[-1] for line in porcelain.splitlines() if line.startswith("!\t"))


def _remote_lines(words: str) -> str:
    """Return what the remote itself said."""
    lines = (line.removeprefix("remote:").strip() for line in words.splitlines() if line.startswith("remote:"))
    return "\n".join(line for line in lines if line)
