"""Secrets that are looked for: every spelling in which one could be shown, and the search for them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from urllib.parse import quote

_ANSI = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
_BREAKS = re.compile(rb"\s+")
SHORTEST_MARK = 5
GIT_USERS = ("x-access-token", "oauth2", "git", "alice")


@cache
def encodings(token: str) -> dict[str, str]:
    """Return every spelling that is looked for, in lower case."""
    data = token.encode()
    pairs = {f"with {name}": base64.b64encode(f"{name}:{token}".encode()).decode() for name in GIT_USERS}
    found = {
        "raw": token,
        "base64": base64.b64encode(data).decode().rstrip("="),
        # Inside of a longer text base64 begins at any of three offsets.
        "base64, shifted once": base64.b64encode(b"x" + data).decode()[4:-4],
        "base64, shifted twice": base64.b64encode(b"xx" + data).decode()[4:-4],
        "base64 for URLs": base64.urlsafe_b64encode(data).decode().rstrip("="),
        "hex": data.hex(),
        "url": quote(token, safe=""),
        "json": json.dumps(token)[1:-1],
        "json in json": json.dumps(json.dumps(token))[3:-3],
        "repr": repr(token)[1:-1],
        "repr of bytes": repr(data)[2:-1],
        "reversed": token[::-1],
        "first 20": token[:20],
        **pairs,
    }
    return {name: form.casefold() for name, form in found.items()}


@cache
def _marks(tokens: tuple[str, ...]) -> tuple[bytes, ...]:
    """Return what the spellings of all tokens have in common: where none of it stands, none of them does."""
    found = []
    for forms in zip(*(encodings(token).values() for token in tokens), strict=True):
        begin, end = _common(forms), _common([form[::-1] for form in forms])[::-1]
        found.append(max(begin, end, key=len).encode())
    return tuple(set(found)) if min(map(len, found)) >= SHORTEST_MARK else (b"",)


def _common(texts: Sequence[str]) -> str:
    """Return what all texts begin with."""
    least, most = min(texts), max(texts)
    return next((least[:n] for n, (one, other) in enumerate(zip(least, most, strict=False)) if one != other), least)


def spellings_in(content: bytes, tokens: Collection[str]) -> list[str]:
    """Return which spellings of which tokens stand in some bytes; also split over lines, or coloured for a terminal."""
    plain = content.lower()
    # A token that is broken by line ends, indents or escape codes is joined again.
    joined = _BREAKS.sub(b"", _ANSI.sub(b"", plain)) if _is_text(plain) else plain
    marks = _marks(tuple(tokens))
    if not any(mark in plain or mark in joined for mark in marks):
        return []
    return [
        f"{token[:8]}..., {name}"
        for token in tokens
        for name, form in encodings(token).items()
        if form.encode() in plain or _BREAKS.sub(b"", form.encode()) in joined
    ]


def _is_text(content: bytes) -> bool:
    return b"\0" not in content[:1000]


def require_absent(text: str, tokens: str | Iterable[str], place: str) -> None:
    """Fail where a spelling of a token stands in a text."""
    wanted = [tokens] if isinstance(tokens, str) else list(tokens)
    assert spellings_in(text.casefold().encode("utf-8", "surrogatepass"), wanted) == [], place
