"""Reads what is new for all listeners of a process at once. It runs in a thread; it waits for nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from itertools import islice
from uuid import UUID

from django.db import connection
from rest_framework.renderers import JSONRenderer

from backend.apps.authentication.models import User
from backend.apps.workflows.access import visible_executions
from backend.apps.workflows.execution.statements import Columns, as_value, fetch
from backend.apps.workflows.models import ExecutionEvent, WorkflowExecution
from backend.apps.workflows.serializers.events import EventSerializer

BATCH = 200
"""Events that are read for one place in a history at once."""
PLACES_AT_ONCE = 400
ENDED = frozenset({"completed", "failed", "cancelled"})
LAST_WORDS = frozenset(f"execution_{status}" for status in ENDED)

Place = tuple[UUID, int]
"""An execution, and the number of the last event that is known of it."""

_TABLE = ExecutionEvent._meta.db_table
_EVENT = Columns(ExecutionEvent, ["execution", "sequence", "kind", "step_id", "task_id", "data", "created_at"])


@dataclass(frozen=True)
class Frame:
    """An event as it is sent."""

    sequence: int
    kind: str
    text: bytes


@dataclass
class News:
    """What has come after each place, and the status of the executions that have said all they will say."""

    frames: dict[Place, list[Frame]] = field(default_factory=lambda: defaultdict(list))
    ended: dict[Place, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Watcher:
    """Who listens to which execution. password: its hash when the stream began; a change ends the stream."""

    user: User
    execution_id: UUID

    def __hash__(self) -> int:
        return hash((self.user.pk, self.execution_id))


def read_news(places: Collection[Place]) -> News:
    """Return what is new at each place: two queries for up to 400 places."""
    news = News()
    rest = iter(places)
    while some := list(islice(rest, PLACES_AT_ONCE)):
        # Before the events: an execution that has ended by then has no later ones.
        statuses = _statuses({execution_id for execution_id, _ in some})
        _read_frames(some, news)
        for place in some:
            status = statuses.get(place[0])
            found = news.frames.get(place, [])
            # What was set going again in between has not ended.
            whole = len(found) < BATCH and (not found or found[-1].kind in LAST_WORDS)
            if whole and (status is None or status in ENDED):
                news.ended[place] = status or "deleted"
    return news


def still_allowed(watchers: Iterable[Watcher]) -> set[Watcher]:
    """Return those who may still listen: the account is active, its password the same, the execution visible."""
    by_user: dict[tuple[UUID, object], list[Watcher]] = defaultdict(list)
    for watcher in watchers:
        by_user[watcher.user.pk, watcher.user.grant].append(watcher)
    users = User.objects.in_bulk({user_id for user_id, _ in by_user})
    allowed: set[Watcher] = set()
    for (user_id, _), theirs in by_user.items():
        user = users.get(user_id)
        if user is None or user.password != theirs[0].user.password:
            continue
        user.grant = theirs[0].user.grant
        wanted = {watcher.execution_id for watcher in theirs}
        seen = set(visible_executions(user=user).order_by().filter(pk__in=wanted).values_list("pk", flat=True))
        allowed.update(watcher for watcher in theirs if watcher.execution_id in seen)
    return allowed


def _statuses(execution_ids: Collection[UUID]) -> dict[UUID, str]:
    rows = WorkflowExecution.objects.order_by().filter(pk__in=execution_ids)
    return dict(rows.values_list("pk", "status"))


def _read_frames(places: Collection[Place], news: News) -> None:
    # A place may be anywhere, and one too far must not keep the news from all the others: with `integer`, the largest
    # number and a batch more would be out of range.
    one = "(%s::uuid, %s::bigint)" if connection.vendor == "postgresql" else "(%s, %s)"
    # A sequence has no gaps, so that its numbers bound how much is read.
    text = (
        f"WITH watched(execution_id, seen) AS (VALUES {', '.join([one] * len(places))})"  # noqa: S608  (names of columns)
        f' SELECT watched.seen, {_EVENT.text} FROM watched JOIN "{_TABLE}"'
        f' ON "{_TABLE}"."execution_id" = watched.execution_id'
        f' AND "{_TABLE}"."sequence" > watched.seen AND "{_TABLE}"."sequence" <= watched.seen + {BATCH}'
        f' ORDER BY "{_TABLE}"."execution_id", "{_TABLE}"."sequence"'
    )
    parameters = [
        value for execution_id, seen in places for value in (as_value(ExecutionEvent, "execution", execution_id), seen)
    ]
    rendered: dict[Place, Frame] = {}
    for seen, *columns in fetch(text, parameters):
        event: ExecutionEvent = _EVENT.read(columns)
        key = (event.execution_id, event.sequence)
        frame = rendered.get(key) or rendered.setdefault(key, _frame(event))
        news.frames[event.execution_id, seen].append(frame)


def _frame(event: ExecutionEvent) -> Frame:
    body: bytes = JSONRenderer().render(EventSerializer(event).data)
    head = f"id: {event.sequence}\nevent: {event.kind}\ndata: ".encode()
    return Frame(event.sequence, event.kind, head + body + b"\n\n")
