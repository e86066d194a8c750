"""A secret in memory: a value that shows itself nowhere unless it is asked to by name."""

from __future__ import annotations

import base64
from typing import NoReturn, final
from urllib.parse import quote, quote_plus

from backend.errors import InvalidInput

LARGEST_SECRET = 10_000
"""Bytes that a secret may have."""
HIDDEN = "[secret]"


@final
class Secret:
    """A token or a password. Only `reveal` gives it.

    Printing, formatting, copying into a log, pickling and JSON do not. Two secrets are equal only when they are the
    same object, so that no comparison tells anything.
    """

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        """Hold the value. Raises InvalidInput, which does not repeat it, for what cannot be a token or a password."""
        _require_fit(value)
        self.__value = value

    def reveal(self) -> str:
        """Return the value. Use it where it is needed, and keep it in no variable."""
        return self.__value

    def forms(self, *, username: str = "") -> frozenset[str]:
        """Return every spelling in which another system might send the value back: as it is, for URLs, in base64.

        username: what goes with it in HTTP's basic authentication.
        """
        encoded = {base64.b64encode(text.encode()).decode() for text in (self.__value, f"{username}:{self.__value}")}
        plain = {self.__value, quote(self.__value, safe=""), quote_plus(self.__value)}
        return frozenset(plain | encoded | {text.rstrip("=") for text in encoded})

    def require_token(self) -> None:
        """Raise InvalidInput unless the value can be a token, which goes into a header: visible ASCII."""
        if not all("!" <= char <= "~" for char in self.__value):
            raise InvalidInput(
                "The secret has characters in it that no token has.",
                field="value",
                expected="visible ASCII characters without spaces",
                hint="Copy the token again, without what is around it.",
            )

    def stands_in(self, text: str) -> bool:
        """Return whether a text holds the value in one of its spellings, in whatever case."""
        folded = text.casefold()
        return any(form.casefold() in folded for form in self.forms())

    def __repr__(self) -> str:
        return HIDDEN

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, specification: str) -> str:
        return format(HIDDEN, specification)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("A secret is not written anywhere.")


def _require_fit(value: str) -> None:
    expected = f"a token or password in one line, of at most {LARGEST_SECRET} bytes"
    if not value.strip():
        raise InvalidInput("The secret is empty.", field="value", expected=expected)
    # Looked for rather than found out by encoding: a UnicodeEncodeError would hold the value.
    if any(0xD800 <= ord(char) < 0xE000 for char in value):
        raise InvalidInput("The secret is not text.", field="value", expected=expected)
    if len(value.encode()) > LARGEST_SECRET:
        raise InvalidInput(f"The secret is larger than {LARGEST_SECRET} bytes.", field="value", expected=expected)
    if any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 or char in "\u2028\u2029" for char in value):
        raise InvalidInput(
            "The secret has a control character in it.",
            field="value",
            expected=expected,
            hint="A file may end in one line end; other line ends, tabs and the like are not part of a token.",
        )
