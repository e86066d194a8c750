"""What is wanted of a repository besides its content, checked before anything is asked of a host.

The rules that differ from host to host are the hosts' own: `github`, `gitlab`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

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
