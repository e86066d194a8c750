"""The form of the permission matrix: who asks, what a row says, and the answers that most rows have.

Rows stand in the `rows_*.py` beside this file, each with a list ROWS and, for what its paths name, a mapping OBJECTS.
Every route and method needs a row. What is expected is written out here, not worked out from the code's own table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.unit.api.permission_matrix.world import World


class Answers(NamedTuple):
    """The status that each of those who ask gets. A token is the owner's, with one scope."""

    anonymous: int
    stranger: int
    viewer: int
    author: int
    maintainer: int
    owner: int
    operator: int
    token_read: int
    token_write: int
    token_run: int
    token_manage: int


def open_to_all(ok: int = 200) -> Answers:
    """For what asks for no token. A service token in the header does no harm."""
    return Answers(*[ok] * len(Answers._fields))


def own(ok: int = 200) -> Answers:
    """For what everybody has of their own, and reads: their lists, their account."""
    return Answers(401, *[ok] * 10)


def own_writing(ok: int) -> Answers:
    """For what everybody makes for themselves; a token needs the scope `write`."""
    return Answers(401, ok, ok, ok, ok, ok, ok, 403, ok, 403, 403)


def own_running(ok: int) -> Answers:
    """For work that everybody starts for themselves; a token needs the scope `run`."""
    return Answers(401, ok, ok, ok, ok, ok, ok, 403, 403, ok, 403)


def password_only(ok: int) -> Answers:
    """For what everybody does for themselves, and no service token can."""
    return Answers(401, ok, ok, ok, ok, ok, ok, 403, 403, 403, 403)


def seeing(ok: int = 200) -> Answers:
    """For what members of the project read."""
    return Answers(401, 404, ok, ok, ok, ok, ok, ok, ok, ok, ok)


def writing(ok: int) -> Answers:
    """For what authors and above change."""
    return Answers(401, 404, 403, ok, ok, ok, ok, 403, ok, 403, 403)


def running(ok: int) -> Answers:
    """For the work that authors and above start."""
    return Answers(401, 404, 403, ok, ok, ok, ok, 403, 403, ok, 403)


def controlling(ok: int) -> Answers:
    """For the control of what somebody else has started: maintainers and above."""
    return Answers(401, 404, 403, 403, ok, ok, ok, 403, 403, ok, 403)


def managing(ok: int) -> Answers:
    """For members: maintainers and above."""
    return Answers(401, 404, 403, 403, ok, ok, ok, 403, 403, 403, ok)


def owning(ok: int) -> Answers:
    """For the owner."""
    return Answers(401, 404, 403, 403, 403, ok, ok, 403, 403, 403, ok)


def operating(ok: int, refused: int = 403) -> Answers:
    """For operators alone, in what is nobody's project."""
    return Answers(401, refused, refused, refused, refused, refused, ok, refused, refused, refused, refused)


@dataclass(frozen=True)
class Row:
    """What one method of one route answers to each who asks.

    route: below /api/v1/ where it does not begin with a slash. body: JSON, or what makes it from the world.
    ids: what the path names, where it is something else than OBJECTS says. query: with its question mark.
    prepare: changes the world before the call. content_type: of a body that is no JSON.
    """

    method: str
    route: str
    answers: Answers
    body: Any = None
    ids: dict[str, Callable[[World], object]] = field(default_factory=dict)
    query: str = ""
    prepare: Callable[[World], object] | None = None
    content_type: str | None = None
