"""Turns the answers of an API into Python values and errors. It sends nothing and decides nothing about retries."""

from __future__ import annotations

import email.utils
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

import httpx

from backend.apps.agents.errors import APIError

Json: TypeAlias = Any
"""What JSON can hold; whoever reads an answer narrows it."""

LARGEST_ANSWER = 10 * 1024 * 1024
"""Bytes of an answer that are read at most."""
# A fresh token was refused as well: another one would fare no better.
_HINTS = {
    401: "The server at BACKEND_URL takes no tokens of this installation for this user: compare the signing keys, and"
    " see whether the account is active there.",
}
LONGEST_EXCERPT = 500
"""Characters of a server's own words that are taken over into an error."""
LONGEST_ASKED = 10.0**9
"""Seconds to wait, beyond which a number or a date of a server counts as this many."""


async def read_body(response: httpx.Response) -> bytes:
    """Return the body of a streamed answer.

    Raises APIError when it is larger than LARGEST_ANSWER or compressed: compression was not offered, and a few bytes
    of it can unpack to gigabytes.
    """
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise APIError("The answer is compressed although that was not asked for.", response.status_code)
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise APIError(
                f"The answer is larger than {LARGEST_ANSWER // 1024 // 1024} MiB.",
                response.status_code,
                hint="Ask for fewer things at a time, for example with page_size.",
            )
    return bytes(body)


def decode(body: bytes, *, status: int) -> Json:
    """Return an answer's JSON value; {} for an empty body. Raises APIError when it is no JSON."""
    if not body.strip():
        return {}
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
        if b"\\ud" in body.lower():
            # A lone surrogate is legal JSON text but can be neither stored nor sent on.
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise APIError(
            f"The answer ({status}) is not JSON that can be read.",
            status,
            hint="Only endpoints that answer in JSON can be called.",
        ) from error
    return value


def refusal(body: bytes, *, status: int, headers: Mapping[str, str]) -> APIError:
    """Return the error for an answer that is neither a success nor a redirect, with the server's own words in it."""
    words = _own_words(body)
    message = f"The API answered {status}" + (f": {words}" if words else ".")
    return APIError(message, status, retry_after=retry_after(headers), hint=_HINTS.get(status))


def redirect(*, status: int) -> APIError:
    """Return the error for a redirect. Its target is not named: it is the server's text and leads elsewhere."""
    return APIError(
        f"The API answered with a redirect ({status}), which is never followed.",
        status,
        hint="Check that the endpoint ends with a slash, and that BACKEND_URL is the address that answers by itself.",
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the Retry-After header asks for, from either of its two forms; None without one."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), LONGEST_ASKED)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        # The latter for numbers that no date has.
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(0.0, math.ceil((moment - datetime.now(UTC)).total_seconds())), LONGEST_ASKED)


def problem_code(body: bytes) -> str | None:
    """Return the `code` member of an error's body, if it has one."""
    value = _as_mapping(body)
    code = value.get("code")
    return code if isinstance(code, str) else None


def _own_words(body: bytes) -> str:
    value = _as_mapping(body)
    members = (value.get("detail"), value.get("message"), value.get("title"))
    # Of another type it names a field, as in {"title": ["This field is required."]}; then the body speaks for itself.
    detail = next((each for each in members if isinstance(each, str) and each), "")
    said = [detail] if detail else []
    errors = value.get("errors")
    fields = [
        f"{each['field']}: {each.get('message', '')}"
        for each in (errors if isinstance(errors, list) else [])
        if isinstance(each, dict) and "field" in each and str(each.get("message", "")) not in detail
    ]
    text = "; ".join(said + fields) or body[: LONGEST_EXCERPT * 4].decode(errors="replace")
    # The words end in logs and on terminals: one line, nothing invisible.
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= LONGEST_EXCERPT else line[: LONGEST_EXCERPT - 1] + "…"


def _as_mapping(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
