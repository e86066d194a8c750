"""What a host's answers say of a credential: whose it is, what it may do, how long, and how much of a quota is left.

Pure. Nothing of an answer is repeated but an account's name, names of scopes, numbers and dates, each in the shape that
it must have: a host, or whoever stands in its place, might send the secret back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from backend.apps.credentials.errors import CredentialRejected
from backend.apps.credentials.hosts import HostKind
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.host_requests import Answer
from backend.errors import RateLimited, RemoteRefused, RemoteUnreachable, RepomillError

MOST_SCOPES: Final = 100
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9._\[\]-]{1,100}", re.ASCII)
_SCOPE: Final = re.compile(r"[a-z0-9_:.-]{1,60}", re.ASCII)
_LIMIT_WORDS: Final = re.compile(r"rate limit|abuse detection", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[0-9]{1,12}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Quota:
    """Requests left until `resets_at`, of `limit`."""

    limit: int
    remaining: int
    resets_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a host said of a credential.

    asked: False for a host that cannot be asked, of which nothing else is known. account: empty where it does not say.
    scopes, expires_at: None where it does not say; a token without an end has no expires_at either.
    """

    asked: bool = True
    account: str = ""
    scopes: tuple[str, ...] | None = None
    expires_at: datetime | None = None
    quota: Quota | None = None


def from_github(user: Answer, *, kind: HostKind, host: str, secret: Secret, now: datetime) -> Finding:
    """Return what `GET /user` says. Raises as `refusal` does for an answer that is no success."""
    if user.status != 200:
        raise refusal(user, kind=kind, host=host, now=now)
    scopes = user.headers.get("x-oauth-scopes")
    return Finding(
        account=_account(user, "login", kind=kind, host=host, secret=secret),
        scopes=None if scopes is None else _scopes(scopes.split(","), secret=secret),
        expires_at=_moment(user.headers.get("github-authentication-token-expiration", "")),
        quota=_quota(user, "x-ratelimit"),
    )


def from_gitlab(user: Answer, token: Answer, *, kind: HostKind, host: str, secret: Secret, now: datetime) -> Finding:
    """Return what `GET /user` and `GET /personal_access_tokens/self` say; one of them is enough.

    A token that may only push cannot read its account, and one of OAuth is no personal access token.
    Raises as `refusal` does where neither is a success.
    """
    if user.status != 200 and token.status != 200:
        # A 403 of the second says more than a 401 of the first: the token is known.
        raise refusal(token if token.status == 403 else user, kind=kind, host=host, now=now)
    account, scopes, expires_at = "", None, None
    if token.status == 200:
        said = _object(token, kind=kind, host=host)
        if said.get("revoked") is True or said.get("active") is False:
            raise _rejected(kind, host)
        listed = said.get("scopes")
        scopes = _scopes(listed, secret=secret) if isinstance(listed, list) else None
        expires_at = _moment(str(said.get("expires_at") or ""))
    if user.status == 200:
        account = _account(user, "username", kind=kind, host=host, secret=secret)
    return Finding(account=account, scopes=scopes, expires_at=expires_at, quota=_quota(user, "ratelimit"))


def refusal(answer: Answer, *, kind: HostKind, host: str, now: datetime) -> RepomillError:
    """Return the error that an answer other than a success means."""
    status, named = answer.status, f"{kind.title} ({host})"
    wait = _wait(answer, now=now)
    if status == 429 or (status == 403 and (wait is not None or _says_limit(answer))):
        return RateLimited(f"{named} asks to wait.", retry_after=wait or 60.0, hint="Check it again later.")
    if status == 401:
        return _rejected(kind, host)
    if status == 403 and "x-github-sso" in answer.headers:
        return RemoteRefused(
            f"{named} wants the token to be authorised for the organisation's single sign-on.",
            hint="Open the token's page at the host and authorise it there.",
        )
    if status == 403:
        return RemoteRefused(
            f"{named} knows the token but does not let it read its own account (403).",
            hint="A token of an app or a job cannot be checked; another may lack a scope, or not be allowed from here.",
        )
    if status >= 500 or status == 408:
        return RemoteUnreachable(f"{named} has a fault of its own ({status}).", hint="Try again later.")
    if 300 <= status < 400:
        return RemoteRefused(
            f"{named} answers with a redirect ({status}), which is never followed.",
            hint="Give the address that answers by itself as the credential's base URL.",
        )
    return RemoteRefused(
        f"There is no API of {kind.title} at {host} ({status}).", hint="Check the credential's host and base URL."
    )


def _says_limit(answer: Answer) -> bool:
    """Return whether the words are those of a limit: GitHub's secondary one may come without any header."""
    said = answer.data.get("message") if isinstance(answer.data, dict) else None
    return isinstance(said, str) and _LIMIT_WORDS.search(said) is not None


def _rejected(kind: HostKind, host: str) -> CredentialRejected:
    return CredentialRejected(
        f"{kind.title} ({host}) does not accept the credential.",
        hint="It may have expired, been revoked, or belong to another host. Make a new one there and give that; for one"
        " that is stored: repomill credentials rotate NAME",
    )


def _object(answer: Answer, *, kind: HostKind, host: str) -> dict[str, Any]:
    if not isinstance(answer.data, dict):
        raise _odd(kind, host)
    return answer.data


def _account(answer: Answer, name: str, *, kind: HostKind, host: str, secret: Secret) -> str:
    account = _as_account(_object(answer, kind=kind, host=host).get(name), secret=secret)
    if account is None:
        raise _odd(kind, host)
    return account


def _as_account(value: object, *, secret: Secret) -> str | None:
    good = isinstance(value, str) and _ACCOUNT.fullmatch(value) and not secret.stands_in(value)
    return str(value) if good else None


def _odd(kind: HostKind, host: str) -> RemoteRefused:
    return RemoteRefused(
        f"The answer of {host} is not what {kind.title} says.", hint="Check the credential's host and base URL."
    )


def _scopes(listed: list[Any], *, secret: Secret) -> tuple[str, ...] | None:
    """Return the names of scopes, or None where what is listed cannot be such names."""
    names = [str(each).strip() for each in listed[:MOST_SCOPES] if str(each).strip()]
    if not all(map(_SCOPE.fullmatch, names)) or secret.stands_in("".join(names)):
        return None
    return tuple(names)


def _quota(answer: Answer, prefix: str) -> Quota | None:
    limit, remaining, reset = (
        _number(answer.headers.get(f"{prefix}-{name}", "")) for name in ("limit", "remaining", "reset")
    )
    if limit is None or remaining is None:
        return None
    return Quota(limit=limit, remaining=remaining, resets_at=None if reset is None else _from_epoch(reset))


def _wait(answer: Answer, *, now: datetime) -> float | None:
    """Return the seconds that the host asks to wait, None where it does not."""
    asked = _number(answer.headers.get("retry-after", ""))
    if asked is not None:
        return float(asked)
    for prefix in ("x-ratelimit", "ratelimit"):
        quota = _quota(answer, prefix)
        if quota and quota.remaining == 0 and quota.resets_at:
            return max(1.0, (quota.resets_at - now).total_seconds())
    return None


def _number(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text.strip()) else None


def _from_epoch(seconds: int) -> datetime | None:
    moment = datetime.fromtimestamp(0, UTC)
    return moment + timedelta(seconds=seconds) if seconds < 32_503_680_000 else None


def _moment(text: str) -> datetime | None:
    """Return a date as hosts write it: `2027-01-31 10:00:00 UTC`, with an offset, in ISO 8601, or a day alone."""
    try:
        moment = datetime.fromisoformat(re.sub(r" (?=[+-]\d{4}$)", "", text.strip().removesuffix(" UTC")))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        # The latter for a day that is none any more in UTC.
        return None
