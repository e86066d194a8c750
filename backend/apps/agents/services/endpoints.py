"""Where an agent may call: decides whether an endpoint stays below /api/v1/, before a byte is sent.

The endpoint is text that a model, a workflow or a stranger wrote. It is checked as it stands, and again after every
round of percent-decoding until nothing changes any more, because servers and proxies differ in how often they decode.
What is sent is the text as it was given, never a decoded form of it. Nothing is sent from here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from urllib.parse import unquote, urlencode

from backend.apps.agents.errors import InvalidEndpoint
from backend.apps.credentials.secret import Secret

PREFIX = "/api/v1/"
LONGEST_ENDPOINT = 2000
"""Characters of an endpoint, with its query and without `params`."""
MOST_DECODINGS = 5

Scalar = str | int | float | bool | None
Params = Mapping[str, Scalar | Sequence[Scalar]]

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PATH_CHARACTERS = re.compile(r"[A-Za-z0-9._~!$&'()*+,=:@/\[\]%-]*\Z")
_QUERY_CHARACTERS = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/?\[\]%-]*\Z")
# What a server that keeps one byte of each character would make of it: an end of line, or markup.
_CUT_DOWN = frozenset(b"\0\r\n<>")
_EXPECTED = "a path below /api/v1/, for example /projects/ or /api/v1/projects/?page=2"


def resolve(endpoint: str, *, params: Params | None = None) -> str:
    """Return the path and query to send for an endpoint; the path begins with /api/v1/.

    A path without that prefix gets it put in front. `params` are encoded and added to the query.
    Raises InvalidEndpoint for anything that could leave /api/v1/ or is no URL path.
    """
    _check_text(endpoint)
    path, mark, query = endpoint.partition("?")
    _check_path(path)
    if not _QUERY_CHARACTERS.match(query):
        raise _refused(endpoint, "its query has characters that a URL may not hold; percent-encode them")
    if not path.startswith(PREFIX):
        path = PREFIX + path.removeprefix("/")
    path = path.replace("[", "%5B").replace("]", "%5D")
    added = _encode(params) if params else ""
    query = "&".join(part for part in (query, added) if part)
    return f"{path}?{query}" if query or mark else path


def _check_text(endpoint: str) -> None:
    if not isinstance(endpoint, str) or not endpoint:
        raise _refused(endpoint, "it is empty")
    if len(endpoint) > LONGEST_ENDPOINT:
        raise _refused(endpoint, f"it is longer than {LONGEST_ENDPOINT} characters")
    if not endpoint.isascii():
        raise _refused(endpoint, "characters outside ASCII must be percent-encoded")
    if any(ord(character) <= 0x20 or ord(character) == 0x7F for character in endpoint):
        raise _refused(endpoint, "it holds a space or a control character")
    if "#" in endpoint:
        raise _refused(endpoint, "it holds a fragment (#)")
    if "\\" in endpoint:
        raise _refused(endpoint, "it holds a backslash")
    if _BAD_PERCENT.search(endpoint):
        raise _refused(endpoint, "a percent sign is not followed by two hexadecimal digits")


def _check_path(path: str) -> None:
    if path in {"", "/"}:
        raise _refused(path, "its path is empty")
    if path.startswith("//"):
        raise _refused(path, "it names a host")
    if _SCHEME.match(path):
        raise _refused(path, "it has a scheme")
    if path.startswith("@"):
        raise _refused(path, "it begins like the user part of an address")
    if ";" in path:
        raise _refused(path, "it has path parameters (;)")
    if not _PATH_CHARACTERS.match(path):
        raise _refused(path, "it has characters that a URL path may not hold; percent-encode them")
    slashes = path.count("/")
    for form in _decodings(path):
        _check_form(path, form=form, slashes=slashes)


def _decodings(path: str) -> list[str]:
    forms = [path]
    while len(forms) <= MOST_DECODINGS:
        try:
            decoded = unquote(forms[-1], errors="strict")
        except UnicodeDecodeError as error:
            raise _refused(path, "its percent-encoding is not UTF-8") from error
        if decoded == forms[-1]:
            return forms
        forms.append(decoded)
    raise _refused(path, f"it is percent-encoded more than {MOST_DECODINGS} times")


def _check_form(path: str, *, form: str, slashes: int) -> None:
    plain = unicodedata.normalize("NFKC", form)
    if any(unicodedata.category(character).startswith("C") for character in form + plain):
        raise _refused(path, "it holds an encoded control or invisible character")
    if "\\" in plain:
        raise _refused(path, "it holds an encoded backslash")
    if form.count("/") != slashes or plain.count("/") != slashes:
        raise _refused(path, "it holds an encoded slash")
    if "//" in plain:
        raise _refused(path, "it holds an empty segment (//)")
    for segment in plain.split("/"):
        name = segment.partition(";")[0]
        if name and not name.strip("."):
            raise _refused(path, "it holds a segment of dots only")
    if any(ord(character) > 0xFF and ord(character) & 0xFF in _CUT_DOWN for character in form):
        raise _refused(path, "it holds a character that some servers cut down to a line feed or to markup")


def _encode(params: Params) -> str:
    pairs: list[tuple[str, str]] = []
    for name, value in params.items():
        if isinstance(value, Secret):
            raise InvalidEndpoint(
                "A secret does not belong in a query, which servers log.",
                field=f"params.{name}",
                hint="Put it in data.",
            )
        values = [value] if isinstance(value, str | int | float) or value is None else list(value)
        pairs += [(str(name), _as_text(each)) for each in values]
    try:
        return urlencode(pairs)
    except UnicodeEncodeError as error:
        raise InvalidEndpoint(
            "A query parameter holds a character that cannot be encoded (a lone surrogate).", field="params"
        ) from error


def _as_text(value: Scalar) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _refused(endpoint: object, reason: str) -> InvalidEndpoint:
    return InvalidEndpoint(
        f"The endpoint {str(endpoint)[:200]!r} is refused: {reason}.",
        field="endpoint",
        expected=_EXPECTED,
        hint=f"Give {_EXPECTED}.",
    )
