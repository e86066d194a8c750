"""What the console's navigation leads to, in its order. A page that is to be found from everywhere has a line here."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse


@dataclass(frozen=True)
class Place:
    """One entry of the navigation.

    name: what it is called. url: the name of its address. icon: a symbol of icons.svg. section: what the first part of
    the path below /console/ is on all pages that belong to it. operators: whether only operators see it.
    """

    name: str
    url: str
    icon: str
    section: str
    operators: bool = False

    @property
    def address(self) -> str:
        """Where it leads."""
        return reverse(self.url)


PLACES = (
    Place("Home", "console:home", "house", ""),
    Place("Workflows", "console:workflows", "workflow", "workflows"),
    Place("Runs", "console:runs", "activity", "runs"),
    Place("Projects", "console:projects", "folder", "projects"),
    Place("Bulk exports", "console:bulk-exports", "package", "bulk-exports"),
    Place("Schedules", "console:schedules", "calendar-clock", "schedules"),
    Place("Credentials", "console:credentials", "key-round", "credentials"),
    Place("System", "console:system", "server", "system", operators=True),
)


def places_for(*, operator: bool) -> list[Place]:
    """Return what somebody is led to."""
    return [place for place in PLACES if operator or not place.operators]


def section_of(path: str) -> str:
    """Return the section that a path below /console/ belongs to."""
    return path.removeprefix("/console/").partition("/")[0]
