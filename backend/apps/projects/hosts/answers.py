"""What a host's API means by an answer that is no success: wait, another credential, try again, or no.

Pure: from one answer to one error, which carries the host's own words without secrets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from backend.apps.projects.errors import CredentialRejected
from backend.apps.projects.services.git_words import clean
from backend.errors import RateLimited, RemoteRefused, RemoteUnreachable, RepomillError

LONGEST_WORDS = 500
DEEPEST_WORDS = 10
"""Objects and lists inside one another that are looked at for a host's words."""
LONGEST_WAIT = 86_400.0
"""Seconds. What GitLab.com may ask for; a host that asks for more is asked again then."""
USUAL_WAIT = 60.0
"""Seconds, where a host says that it has had enough and not for how long."""

_LIMIT_WORDS = re.compile(r"rate limit|abuse detection|retry your request again later|requested too many times", re.I)
_SECONDARY_WORDS = re.compile(r"secondary rate limit|abuse detection|content creation", re.I)
_PERMISSION_WORDS = re.compile(r"resource not accessible by|insufficient.scope|must have .* scope", re.I)
_TAKEN_WORDS = re.compile(r"already (?:exists|been taken|in use)|has been taken", re.I)
_MARKUP = re.compile(r"<[^<>]*>")


@dataclass(frozen=True)
class Answer:
    """An answer of an API. The names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def data(self) -> Any:  # noqa: ANN401  (whatever JSON the host sends)
        """The body as JSON, or None when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True)
class Manners:
    """How a host is named to a person, and what its credentials need. `needs` completes "The credential needs ..."."""

    host: str
    needs: str
    secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Manners(host={self.host!r})"


def refusal(answer: Answer, *, manners: Manners, now: datetime | None = None) -> RepomillError:
    """Return the error that an answer other than 2xx stands for. Its place has the `status`."""
    said = words(answer, secrets=manners.secrets)
    host, status = manners.host, answer.status
    if _is_limit(answer, said):
        return _limited(answer, said, host=host, now=now or datetime.now(UTC))
    if status == 401 or (status == 403 and _is_permission(answer, said)) or (status == 404 and _missing(answer, said)):
        return _rejected(answer, said, manners=manners)
    if status >= 500 or status == 408:
        return RemoteUnreachable(
            f"{host} has a fault of its own: {said}",
            hint="Nothing has to be done: it is tried again.",
            retry_after=_bounded(_asked_for(answer, now or datetime.now(UTC))),
            status=status,
        )
    if 300 <= status < 400:
        return RemoteRefused(
            f"{host} answers that the repository or the API is somewhere else; that is not followed.",
            hint="Give the host's own address, and the repository's present name.",
            status=status,
        )
    return RemoteRefused(f"{host} refused: {said}", hint=_hint(status), status=status)


def is_taken(error: RepomillError) -> bool:
    """Return whether a refusal says that something of this name is there already."""
    return bool(_TAKEN_WORDS.search(error.message)) or error.place.get("status") == 409


def words(answer: Answer, *, secrets: Iterable[str] = ()) -> str:
    """Return what the host itself said, in one line, without secrets; the number when it said nothing."""
    data = answer.data
    said = _said(data) if isinstance(data, dict | list) else _MARKUP.sub(" ", answer.body.decode("utf-8", "replace"))
    said = " ".join(clean(said, secrets=secrets, limit=LONGEST_WORDS).split())
    return said or f"HTTP {answer.status}"


def _said(data: Any, depth: int = 0) -> str:  # noqa: ANN401  (JSON of any shape)
    """Flatten the shapes in use: a text, a list of texts, {field: [texts]}, {message, errors: [{field, message}]}.

    What lies deeper than any of them says nothing: every level is looked at once, and the stack has an end.
    """
    if isinstance(data, str):
        return data
    if depth > DEEPEST_WORDS:
        return ""
    if isinstance(data, list):
        return "; ".join(filter(None, (_said(each, depth + 1) for each in data)))
    if not isinstance(data, dict):
        return ""
    parts = [_said(data[name], depth + 1) for name in ("message", "error", "error_description") if name in data]
    if "errors" in data:
        parts.append(_said(data["errors"], depth + 1))
    if parts:
        said = " - ".join(filter(None, parts))
        return f"{data['field']}: {said}" if isinstance(data.get("field"), str) and data["field"] not in said else said
    if "code" in data and "field" in data:
        return f"{data['field']}: {data['code']}"
    named = ((name, _said(value, depth + 1)) for name, value in data.items())
    return "; ".join(f"{name} {said}" for name, said in named if said)


def _is_limit(answer: Answer, said: str) -> bool:
    if answer.status == 429:
        return True
    used_up = answer.headers.get("x-ratelimit-remaining") == "0"
    return answer.status == 403 and (used_up or "retry-after" in answer.headers or bool(_LIMIT_WORDS.search(said)))


def _limited(answer: Answer, said: str, *, host: str, now: datetime) -> RateLimited:
    asked = _bounded(_asked_for(answer, now))
    seconds = USUAL_WAIT if asked is None else asked
    until = (now + timedelta(seconds=seconds)).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    limit = _which(answer, said)
    return RateLimited(
        f"{host} asks to wait until {until} ({limit}): {said}",
        retry_after=seconds,
        hint="Nothing has to be done: it goes on by itself then, and no retry is used up.",
        limit=limit,
        until=until,
        status=answer.status,
    )


def _which(answer: Answer, said: str) -> str:
    most = answer.headers.get("x-ratelimit-limit") or answer.headers.get("ratelimit-limit")
    if _SECONDARY_WORDS.search(said):
        return "secondary rate limit"
    if answer.headers.get("x-ratelimit-remaining") == "0":
        return f"primary rate limit of {clean(most or 'some', limit=20)} requests an hour"
    named = answer.headers.get("ratelimit-name")
    if named:
        return f"rate limit {clean(named, limit=60)}" + (f" of {clean(most, limit=20)}" if most else "")
    asked = answer.headers.get("retry-after", "")
    if asked.isdecimal() and int(asked) > 3600:
        return "daily quota"
    return "secondary rate limit" if answer.status == 403 else "rate limit"


def told_at(answer: Answer, *, now: datetime) -> datetime:
    """Return when the host says that it answered, by the clock that its times are of; `now` where it does not say."""
    return _date(answer.headers.get("date", "")) or now


def _asked_for(answer: Answer, now: datetime) -> float | None:
    """Return the seconds that an answer asks to wait, or None where it does not say."""
    now = told_at(answer, now=now)
    asked = answer.headers.get("retry-after", "").strip()
    if asked.isdecimal():
        return float(asked[:9])
    if asked:
        when = _date(asked)
        return None if when is None else (when - now).total_seconds()
    for left, reset in (("x-ratelimit-remaining", "x-ratelimit-reset"), ("ratelimit-remaining", "ratelimit-reset")):
        at = answer.headers.get(reset, "").partition(".")[0]
        if answer.headers.get(left) == "0" and at.isdecimal():
            seconds = float(at[:12]) - now.timestamp()
            # A host that refuses because of a limit that is over by its own words has not said until when.
            return seconds if seconds > 0 else None
    return None


def _date(header: str) -> datetime | None:
    try:
        when = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        # The latter for numbers that no date has.
        return None
    return when.replace(tzinfo=when.tzinfo or UTC)


def _bounded(seconds: float | None) -> float | None:
    return None if seconds is None else min(max(seconds, 1.0), LONGEST_WAIT)


def _missing(answer: Answer, said: str) -> str:
    """Return what the credential lacks, where the answer says so: a list of scopes or permissions."""
    accepted = _listed(answer.headers.get("x-accepted-oauth-scopes"))
    if accepted and "x-oauth-scopes" in answer.headers:
        has = _listed(answer.headers["x-oauth-scopes"])
        return "" if set(accepted) & set(has) else " or ".join(accepted)
    # Every answer to a fine-grained token has them, and says nothing of what the token has.
    if answer.headers.get("x-accepted-github-permissions") and _PERMISSION_WORDS.search(said):
        return answer.headers["x-accepted-github-permissions"]
    data = answer.data
    if isinstance(data, dict) and data.get("error") == "insufficient_scope":
        return str(data.get("scope") or "")
    return ""


def _listed(header: str | None) -> list[str]:
    return [part.strip() for part in (header or "").split(",") if part.strip()]


def _is_permission(answer: Answer, said: str) -> bool:
    return bool(_missing(answer, said) or "x-github-sso" in answer.headers or _PERMISSION_WORDS.search(said))


def _rejected(answer: Answer, said: str, *, manners: Manners) -> CredentialRejected:
    missing = clean(_missing(answer, said), limit=200)
    if answer.headers.get("x-github-sso", "").startswith("required"):
        return CredentialRejected(
            f"{manners.host} wants the credential to be authorised for the organisation's single sign-on: {said}",
            hint="Authorise the token for this organisation in the host's settings of tokens.",
            status=answer.status,
        )
    lacks = f" It lacks {missing}." if missing else ""
    return CredentialRejected(
        f"{manners.host} does not accept the credential: {said.rstrip('.')}.{lacks}",
        hint=f"Give one that is valid; it needs {manners.needs}.",
        missing_scope=missing or None,
        status=answer.status,
    )


def _hint(status: int) -> str:
    if status == 404:
        return "Check the name, and that the credential may see it."
    if status == 403:
        return "Ask who runs the account or the group for the right to do this."
    return "Change what was asked for as the host says."
