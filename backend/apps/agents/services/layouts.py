"""Where stories and sprints live on a server: below their project, or beside it. Which of the two is found out once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote


class Place(StrEnum):
    """What the convenience methods address."""

    STORIES = "stories"
    STORY = "story"
    SPRINTS = "sprints"
    SPRINT = "sprint"


@dataclass(frozen=True)
class Layout:
    """The paths of one layout, below /api/v1; `{id}` is the project's id for lists and the thing's own otherwise."""

    name: str
    paths: dict[Place, str]
    project_in_query: bool
    """Whether a list is narrowed to a project by `?project=` and not by its path."""

    def path(self, place: Place, identifier: object) -> str:
        """Return the place's path for an id; the id stays one segment whatever it holds."""
        return self.paths[place].format(id=as_segment(identifier))


NESTED = Layout(
    name="nested",
    paths={
        Place.STORIES: "/projects/{id}/stories/",
        Place.STORY: "/stories/{id}/",
        Place.SPRINTS: "/projects/{id}/sprints/",
        Place.SPRINT: "/sprints/{id}/",
    },
    project_in_query=False,
)
FLAT = Layout(
    name="flat",
    paths={
        Place.STORIES: "/projects/stories/",
        Place.STORY: "/projects/stories/{id}/",
        Place.SPRINTS: "/projects/sprints/",
        Place.SPRINT: "/projects/sprints/{id}/",
    },
    project_in_query=True,
)
BY_NAME = {layout.name: layout for layout in (NESTED, FLAT)}


def as_segment(identifier: object) -> str:
    """Return an id as one segment of a path, percent-encoded; `endpoints.resolve` refuses what would still leave it."""
    return quote(str(identifier), safe="")


def told_by(operations: Iterable[dict[str, Any]]) -> Layout:
    """Return the layout that a server's operations show.

    The nested one where they show neither, and where they show both: it is the one that honours idempotency keys.
    """
    paths = {re.sub(r"\{[^/]*\}", "{id}", operation["path"]) for operation in operations}
    nested, flat = ("/api/v1" + layout.paths[Place.STORIES] in paths for layout in (NESTED, FLAT))
    return FLAT if flat and not nested else NESTED
