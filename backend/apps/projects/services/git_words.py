"""What git and the other side say: read from a pipe without end, and cleaned before a person reads it.

It decides nothing: what the words mean for a push is told by `backend.apps.projects.hosts.outcomes`.
"""

from __future__ import annotations

import re
import select
import threading
from collections.abc import Callable, Iterable
from typing import IO

LONGEST_WORDS = 4000
CHUNK = 64 * 1024
LONGEST_WAIT = 5.0
A_MOMENT = 1.0
"""Seconds within which what is written is read, unless this process is stopped or starved."""

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)", re.DOTALL)
# Everything that moves a cursor, hides text or turns its direction; line feed and tab stay.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")
_USERINFO = re.compile(r"(?<=://)[^/\s@'\"]+(?:@[^/\s@'\"]+)*(?=@)")
_TOKEN = re.compile(
    r"\b(?:gh[a-z]_\w{16,}|github_pat_\w{16,}|gl[a-z]{1,6}-[\w.-]{16,})"
    # Atomic, and not from the middle of a word: else each place in it is followed to its end, in quadratic time.
    r"|(?<![\w-])(?>[\w-]*?eyJ)[\w-]++\.[\w-]++\.[\w-]+"
    r"|(?<=\bBasic )[A-Za-z0-9+/=]{8,}|(?<=\bBearer )\S{8,}"
)
REDACTED = "[redacted]"
# git says of a lock that it could not write it, and not why.
_DISK_FULL = re.compile(
    r"No space left on device|Out of diskspace|Disk quota exceeded|couldn't write '[^']*\.lock'", re.IGNORECASE
)


def says_disk_is_full(words: str) -> bool:
    """Return whether git ended because a disk took no more: this machine's, or the remote's."""
    return _DISK_FULL.search(words) is not None


def clean(said: bytes | str, *, secrets: Iterable[str] = (), limit: int = LONGEST_WORDS) -> str:
    """Return what was said without control characters, without secrets, and in at most `limit` characters.

    secrets: exact values to remove. User parts of URLs and what looks like a token go in any case.
    A progress line (ended by a carriage return) is replaced by the one after it, as on a terminal.
    """
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    text = _ESCAPE.sub("", text).replace("\r\n", "\n")
    text = "\n".join(line.rstrip("\r").rpartition("\r")[2].rstrip() for line in text.split("\n"))
    text = _CONTROL.sub("", text).strip()
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    text = _TOKEN.sub(REDACTED, _USERINFO.sub(REDACTED, text))
    return text if len(text) <= limit else text[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"


class Drain:
    """Reads a pipe to its end in a thread, so that nobody waits for a reader; keeps its first `limit` bytes."""

    def __init__(self, pipe: IO[bytes], *, limit: int, on_overflow: Callable[[], None] | None = None) -> None:
        self._pipe = pipe
        self._kept = bytearray()
        self._limit = limit
        self._on_overflow = on_overflow
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()

    def read(self) -> bytes:
        """Return what was kept, at the pipe's end, or once nothing waits in it: a process left behind may hold it."""
        self._thread.join(A_MOMENT)
        while self._thread.is_alive() and self._is_behind():
            # The moment has passed for a process that was stopped meanwhile, and has read nothing in it.
            self._thread.join(A_MOMENT)
        return bytes(self._kept)

    def ended(self) -> bool:
        """Return whether the pipe has ended, that is whether every process that could write to it is gone."""
        self._thread.join(0.1)
        return not self._thread.is_alive()

    def close(self) -> None:
        """Wait for the pipe's end, which the caller has brought about.

        A process that has left git's group (a server's hook may start one) is not waited for: the pipe is freed when
        that process ends.
        """
        self._thread.join(LONGEST_WAIT)

    def _is_behind(self) -> bool:
        waiting = select.poll()
        try:
            waiting.register(self._pipe, select.POLLIN)
        except ValueError:
            # It has just been closed: the thread is about to end.
            return True
        return bool(waiting.poll(0))

    def _drain(self) -> None:
        with self._pipe as pipe:
            while chunk := pipe.read1(CHUNK):  # type: ignore[attr-defined]  # a pipe is a BufferedReader
                room = self._limit - len(self._kept)
                self._kept += chunk[:room]
                if len(chunk) > room and self._on_overflow is not None:
                    self._on_overflow()
                    self._on_overflow = None
