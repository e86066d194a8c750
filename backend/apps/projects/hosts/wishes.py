"""What is wanted of a repository besides its content, checked before anything is asked of a host.

The rules that differ from host to host are the hosts' own: `github`, `gitlab`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backend.apps.projects.services.git_words import clean
from backend.errors import InvalidInput

MOST_TOPICS = 20

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a new repository is to be. `visibility` is private, internal or public."""

    name: str
    owner: str | None = None
    """The organisation, or the full path of the group; None for the account of the credential."""
    visibility: str = "private"
    description: str = ""
    topics: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a host takes. The patterns are for whole words."""

    host: str
    owner_field: str
    name_field: str
    name: re.Pattern[str]
    name_expected: str
    owner: re.Pattern[str]
    owner_expected: str
    topic: re.Pattern[str]
    topic_expected: str
    longest_description: int
    visibilities: tuple[str, ...]

    def check(self, wish: Wish) -> Wish:
        """Return the wish if the host takes it as it is, and makes nothing else of it. Raises InvalidInput."""
        require_text(wish.name, field=self.name_field)
        require_text(wish.visibility, field="visibility")
        require_text(wish.description, field="description")
        if wish.owner is not None:
            require_text(wish.owner, field=self.owner_field)
        if not self.name.fullmatch(wish.name):
            self._refuse(wish.name, "the name of a repository", self.name_field, self.name_expected)
        if wish.owner is not None and not self.owner.fullmatch(wish.owner):
            self._refuse(wish.owner, "an owner", self.owner_field, self.owner_expected)
        if wish.visibility not in self.visibilities:
            self._refuse(wish.visibility, "a visibility", "visibility", " or ".join(self.visibilities))
        self._check_description(wish.description)
        for topic in wish.topics:
            if not self.topic.fullmatch(topic):
                self._refuse(topic, "a topic", "topics", self.topic_expected)
        if len(wish.topics) > MOST_TOPICS:
            raise InvalidInput(f"{self.host} takes at most {MOST_TOPICS} topics.", field="topics", expected=MOST_TOPICS)
        return wish

    def _check_description(self, description: str) -> None:
        if len(description) > self.longest_description or _CONTROL.search(description):
            raise InvalidInput(
                f"{self.host} does not take this description.",
                field="description",
                expected=f"one line of at most {self.longest_description} characters",
                hint="Put longer texts into the README.",
            )

    def _refuse(self, value: str, what: str, field: str, expected: str) -> None:
        raise InvalidInput(
            f"{clean(value)[:100]!r} cannot be {what} on {self.host}.",
            field=field,
            expected=expected,
            hint="Choose another; it is not changed into one that would do.",
        )


def require_text(value: Any, *, field: str) -> str:  # noqa: ANN401  (JSON of a caller)
    """Return the value if it is text. Raises InvalidInput, which does not repeat it."""
    if not isinstance(value, str):
        raise InvalidInput(f"{field} is not text.", field=field, expected="a text")
    return value


def visibility_of(private: Any) -> str:  # noqa: ANN401  (JSON of a caller)
    """Return private or public. Raises InvalidInput: what is neither true nor false makes no repository public."""
    if not isinstance(private, bool):
        raise InvalidInput("private is neither true nor false.", field="private", expected=[True, False])
    return "private" if private else "public"


def topics_of(topics: Sequence[str]) -> tuple[str, ...]:
    """Return a list of topics. Raises InvalidInput: a text is one topic and not its letters."""
    if not isinstance(topics, list | tuple):
        raise InvalidInput("topics is not a list.", field="topics", expected="a list of texts")
    return tuple(require_text(topic, field="topics") for topic in topics)
