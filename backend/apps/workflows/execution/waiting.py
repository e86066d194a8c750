"""Tells which tasks' messages still wait in their queues, by what stands at the front of each.

Of a short queue everything is seen, so it is known. A long one is served in order: a message that was sent before
those at its front is not in it any more. It was answered, or it is lost. A few at the front say nothing, and are
outvoted: old ones that a worker or the broker put back, and old copies of what has been sent anew since. Where nothing
at the front says anything, time decides.

This module changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q

from backend.apps.workflows.models import TaskExecution
from backend.apps.workflows.publishing import Front, queue_of

UNSHOWN = timedelta(minutes=2)
"""How long a message is taken to wait in a long queue that does not show what it waits behind."""


def still_waiting(methods: Iterable[str], seen: Mapping[str, Front], *, now: datetime) -> Q:
    """Return the condition on a task that its message may be in its queue still.

    methods: those that the condition is to cover. seen: the front of each queue; of one that is not in it nothing is
    known, and nothing counts as waiting there.
    """
    in_front = [UUID(task) for front in seen.values() for task in front.tasks if _is_id(task)]
    condition = Q(pk__in=in_front)
    long = {queue: front for queue, front in seen.items() if not front.whole}
    if not long:
        return condition
    times = dict(TaskExecution.objects.filter(pk__in=in_front).values_list("pk", "published_at"))
    since = {queue: _sent_since(front, times) or now - UNSHOWN for queue, front in long.items()}
    for method in methods:
        if (queue := queue_of(method)) in since:
            condition |= Q(method=method, published_at__gte=since[queue])
    return condition


def _sent_since(front: Front, times: Mapping[UUID, datetime | None]) -> datetime | None:
    """Return since when that was sent which waits behind the front of a long queue; None: it does not say."""
    known = sorted(at for task in front.tasks if _is_id(task) and (at := times.get(UUID(task))))
    return known[len(known) // 4] if known else None


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
