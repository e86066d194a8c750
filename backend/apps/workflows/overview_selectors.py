"""What is read of all runs that a user may see, to see at a glance how things stand.

Each question is about what has not ended, or about the newest runs, which indexes hold: it costs the same however many
runs there have been.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import CharField, Count, Exists, Min, OuterRef, Q, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce, TruncMinute

from backend.apps.authentication.models import User
from backend.apps.workflows.access import LARGE, visible_executions, visible_tasks
from backend.apps.workflows.models import TaskExecution, WorkflowExecution
from backend.apps.workflows.selectors import standing_word

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LONGEST_RUN = timedelta(days=7)
"""What began earlier is left out of what ended lately: without a bound every run would be looked at."""
Status = WorkflowExecution.Status
States = TaskExecution.Status
_IN_DOUBT = Q(status=States.IN_DOUBT)
_CODE = Coalesce(KeyTextTransform("code", "error"), Value("later"), output_field=CharField())
"""The code of a task's error; `later` for one that waits without any."""


@dataclass(frozen=True)
class Standing:
    """How many runs stand where: those that go on, and what became of those that ended in the last day.

    waiting: those of which nothing can go on now; they are not among the running.
    """

    running: int
    waiting: int
    paused: int
    completed: int
    failed: int


def how_runs_stand(*, user: User, now: datetime) -> Standing:
    """Count the user's runs, in two queries."""
    on = visible_executions(user=user).filter(status__in=[Status.PENDING, Status.RUNNING]).order_by()
    tasks = TaskExecution.objects.filter(execution=OuterRef("pk")).order_by()
    waits = Exists(tasks.filter(_later(now) | _IN_DOUBT)) & ~Exists(tasks.filter(_moving(now)))
    going = on.aggregate(
        all=Count("pk"),
        paused=Count("pk", filter=Q(paused_at__isnull=False)),
        waiting=Count("pk", filter=Q(paused_at__isnull=True, status=Status.RUNNING) & waits),
    )
    ended = visible_executions(user=user).filter(created_at__gte=now - LONGEST_RUN, completed_at__gte=now - DAY)
    counts = dict(ended.order_by().values_list("status").annotate(n=Count("pk")))
    return Standing(
        running=going["all"] - going["paused"] - going["waiting"],
        waiting=going["waiting"],
        paused=going["paused"],
        completed=counts.get(Status.COMPLETED, 0),
        failed=counts.get(Status.FAILED, 0),
    )


def runs_going_on(*, user: User, most: int) -> list[WorkflowExecution]:
    """Return the newest runs that have not ended."""
    rows = visible_executions(user=user).filter(status__in=[Status.PENDING, Status.RUNNING])
    return list(rows.select_related("workflow", "user").defer(*LARGE[:-1])[:most])


@dataclass(frozen=True)
class Wait:
    """What a run waits for: an error's code, `in_doubt` or `later`. until: when the first of its tasks goes on."""

    reason: str
    until: datetime | None


def waits_of(runs: Iterable[WorkflowExecution], *, now: datetime) -> dict[UUID, Wait]:
    """Return what those of the runs wait for of which nothing can go on now, by their ids, in one query."""
    running = [run.pk for run in runs if standing_word(run) == Status.RUNNING]
    unfinished = TaskExecution.objects.filter(
        execution__in=running, status__in=[States.PENDING, States.RUNNING, States.IN_DOUBT]
    )
    later = _later(now)
    rows = (
        unfinished.order_by()
        .values_list("execution")
        .annotate(
            moving=Count("pk", filter=_moving(now)),
            doubts=Count("pk", filter=_IN_DOUBT),
            until=Min("not_before", filter=later),
            code=Min(_CODE, filter=later),
        )
    )
    found: dict[UUID, Wait] = {}
    for run, moving, doubts, until, code in rows:
        if not moving and (until is not None or doubts):
            found[run] = Wait(code if until is not None else "in_doubt", until)
    return found


def _later(now: datetime) -> Q:
    """Say of a task that it waits for a later time."""
    return Q(status=States.PENDING, ready=True, not_before__gt=now)


def _moving(now: datetime) -> Q:
    """Say of a task that it is done now, or may be."""
    due = Q(status=States.PENDING, ready=True) & (Q(not_before=None) | Q(not_before__lte=now))
    return due | Q(status=States.RUNNING)


def failed_lately(*, user: User, now: datetime, most: int) -> list[WorkflowExecution]:
    """Return the newest runs that failed in the last day."""
    rows = visible_executions(user=user).filter(
        status=Status.FAILED, created_at__gte=now - LONGEST_RUN, completed_at__gte=now - DAY
    )
    return list(rows.select_related("workflow", "user").defer(*LARGE[:-1]).order_by("-completed_at")[:most])


@dataclass(frozen=True)
class Parked:
    """Tasks that wait for the same: an error's code, `paused`, `in_doubt` or `later`. until: when the first goes on."""

    reason: str
    number: int
    until: datetime | None


def parked_tasks(*, user: User, now: datetime) -> list[Parked]:
    """Return what waits for a later time or for a person, by reason, in three queries."""
    pending = visible_tasks(user=user).filter(status=TaskExecution.Status.PENDING).order_by()
    later = pending.filter(not_before__gt=now, execution__paused_at__isnull=True).annotate(code=_CODE)
    found: Counter[str] = Counter()
    until: dict[str, datetime] = {}
    for reason, moment in later.values_list("code", "not_before").order_by("not_before")[:MOST_PARKED]:
        found[reason] += 1
        if moment is not None:
            until.setdefault(reason, moment)
    found["paused"] = pending.filter(execution__paused_at__isnull=False).count()
    found["in_doubt"] = visible_tasks(user=user).filter(status=TaskExecution.Status.IN_DOUBT).count()
    return [Parked(reason, number, until.get(reason)) for reason, number in found.most_common() if number]


MOST_PARKED = 5_000


def ended_by_minute(*, user: User, now: datetime) -> dict[datetime, tuple[int, int]]:
    """Return how many runs ended in each minute of the last hour: how many completed, and how many did not.

    Runs that began more than a day ago are left out.
    """
    ended = visible_executions(user=user).filter(created_at__gte=now - DAY, completed_at__gte=now - HOUR)
    counted = (
        ended.order_by()
        .annotate(minute=TruncMinute("completed_at"))
        .values_list("minute")
        .annotate(good=Count("pk", filter=Q(status=Status.COMPLETED)), all=Count("pk"))
    )
    return {minute: (good, everything - good) for minute, good, everything in counted}
