"""Which projects a bulk export is of: read from what was asked for, and turned into a query.

A user's selection never reaches beyond the projects that the user may export.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from backend.apps.authentication.models import User
from backend.apps.authentication.roles import Right
from backend.apps.projects.models import Project
from backend.apps.projects.selectors import SLUG, projects_with_right
from backend.errors import InvalidInput, NotFound

KINDS = ("all", "owner", "label", "list")
MOST_LISTED = 10_000
SHAPE = (
    '{"kind": "all"}, {"kind": "owner", "owner": NAME}, {"kind": "label", "label": NAME}, or'
    ' {"kind": "list", "projects": [SLUG OR ID, ...]}; with "changed_only": true only what has changed'
)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which projects. changed_only: those alone whose content is not what the destination has."""

    kind: str
    owner: str = ""
    label: str = ""
    projects: tuple[str, ...] = ()
    changed_only: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return it as it is stored."""
        return {name: value for name, value in asdict(self).items() if value} | {
            **({"projects": list(self.projects)} if self.projects else {})
        }


def read_selection(value: Any, *, user: User) -> Selection:  # noqa: ANN401  (JSON)
    """Return a selection from JSON. Projects of a list are named by slug or id, and kept by id.

    Raises InvalidInput for another shape, NotFound for an owner, or for a project, that is not there or that the user
    may not change.
    """
    if not isinstance(value, Mapping) or value.get("kind") not in KINDS:
        raise InvalidInput("This is no selection of projects.", field="selection", expected=SHAPE)
    kind = str(value["kind"])
    argument = {"owner": "owner", "label": "label", "list": "projects"}.get(kind)
    known = {"kind", "changed_only", *((argument,) if argument else ())}
    if strange := [name for name in value if name not in known]:
        raise InvalidInput(
            f"A selection of kind {kind} has no {str(strange[0])[:50]!r}.", field="selection", expected=SHAPE
        )
    changed_only = value.get("changed_only", False)
    if not isinstance(changed_only, bool):
        raise InvalidInput("It is either true or false.", field="selection.changed_only", expected="true or false")
    found: dict[str, Any] = {}
    if kind in {"owner", "label"}:
        found[kind] = _word(value.get(kind), field=f"selection.{kind}")
    if kind == "owner" and not User.objects.filter(username=found["owner"]).exists():
        raise NotFound(f"There is no user {found['owner'][:100]!r}.", field="selection.owner")
    if kind == "list":
        found["projects"] = _listed(value.get("projects"), user=user)
    return Selection(kind=kind, changed_only=changed_only, **found)


def without_gone(value: Mapping[str, Any], *, user: User) -> tuple[Mapping[str, Any], int]:
    """Return a stored selection without the projects of its list that the user cannot export any more; and how many.

    Where nothing would be left of the list it stays as it is, and whoever reads it is told.
    """
    if value.get("kind") != "list":
        return value, 0
    listed = [UUID(text) for text in value["projects"]]
    there = projects_with_right(user=user, right=Right.RUN).filter(pk__in=listed).order_by("pk")
    kept = [str(pk) for pk in there.values_list("pk", flat=True)]
    return ({**value, "projects": kept}, len(listed) - len(kept)) if kept else (value, 0)


def stored_selection(value: Mapping[str, Any]) -> Selection:
    """Return a selection as `as_json` gave it."""
    return Selection(**{**value, "projects": tuple(value.get("projects", ()))})


def selected_projects(selection: Selection, *, user: User) -> QuerySet[Project]:
    """Return the projects of a selection, whether changed or not, by their ids."""
    projects = projects_with_right(user=user, right=Right.RUN)
    if selection.kind == "owner":
        projects = projects.filter(owner__username=selection.owner)
    elif selection.kind == "label":
        projects = projects.filter(labels__name=selection.label)
    elif selection.kind == "list":
        projects = projects.filter(pk__in=[UUID(text) for text in selection.projects])
    return projects.order_by("pk")


def _word(value: Any, *, field: str) -> str:  # noqa: ANN401
    if not isinstance(value, str) or not value.strip() or len(value) > 150 or not value.isprintable():
        raise InvalidInput("It is a name.", field=field, expected="text of 1 to 150 printable characters")
    return value


def _listed(value: Any, *, user: User) -> tuple[str, ...]:  # noqa: ANN401
    field = "selection.projects"
    if not isinstance(value, list | tuple) or not value or len(value) > MOST_LISTED:
        raise InvalidInput(
            "It is a list of projects.", field=field, expected=f"from 1 to {MOST_LISTED:,} slugs or ids of projects"
        )
    ids, slugs = set(), set()
    for reference in value:
        text = str(reference)
        try:
            ids.add(UUID(text))
        except ValueError:
            if not SLUG.fullmatch(text):
                raise InvalidInput(f"{text[:100]!r} is neither a slug nor an id.", field=field) from None
            slugs.add(text)
    mine = projects_with_right(user=user, right=Right.RUN)
    by_id = dict(mine.filter(pk__in=ids).values_list("pk", "slug")) if ids else {}
    by_slug = {slug: pk for pk, slug in mine.filter(slug__in=slugs).values_list("pk", "slug")} if slugs else {}
    missing = [str(pk) for pk in ids if pk not in by_id] + [slug for slug in slugs if slug not in by_slug]
    if missing:
        others = f" and {len(missing) - 1} others" if len(missing) > 1 else ""
        raise NotFound(
            f"There is no project {sorted(missing)[0]!r} that you may export{others}.",
            field=field,
            hint="Check the names, and that you are an author of these projects.",
        )
    return tuple(sorted({str(pk) for pk in (*by_id, *by_slug.values())}))
