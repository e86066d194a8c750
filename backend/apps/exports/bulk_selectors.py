"""What is read of bulk exports: who may see which, how far one is, and what became of its items.

While items are in flight their tasks are the truth; so the counts are right between two rounds too.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, F, Max, QuerySet, Value
from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.exports.bulk_models import BulkExport, BulkExportItem
from backend.apps.exports.services.bulk_settling import ENDED
from backend.apps.workflows.decisions.control import standing
from backend.errors import Conflict, NotFound

Item = BulkExportItem.Status
STANDINGS = ("completed", "skipped", "failed", "in_doubt", "cancelled", "in_flight", "waiting")
_OVER = (Item.COMPLETED, Item.FAILED, Item.IN_DOUBT, Item.SKIPPED, Item.CANCELLED)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a bulk export is. rate: deliveries a second; ends_at: None where nothing is known yet, or it is over."""

    total: int
    completed: int
    skipped: int
    failed: int
    in_doubt: int
    cancelled: int
    in_flight: int
    waiting: int
    percent: int
    rate: float | None
    ends_at: datetime | None

    @property
    def counts(self) -> dict[str, int]:
        """How many items there are, and how many stand where."""
        return {"total": self.total} | {word: getattr(self, word) for word in STANDINGS}

    @property
    def done(self) -> int:
        """How many items are over, in whatever way."""
        return self.total - self.in_flight - self.waiting


def visible_bulk_exports(*, user: User) -> QuerySet[BulkExport]:
    """Return the bulk exports that the user started; all for a superuser; newest first."""
    if not user.is_active or (user.grant is not None and user.grant.project_id is not None):
        # A bulk export is of many projects: a token for one of them is not for it.
        return BulkExport.objects.none()
    rows = BulkExport.objects.select_related("created_by", "schedule")
    return rows if user.is_superuser else rows.filter(created_by=user)


def find_bulk_export(*, user: User, reference: UUID | str) -> BulkExport:
    """Return the bulk export whose id is, or begins with, `reference`; `last` is the newest.

    Raises NotFound, or Conflict where several ids begin so.
    """
    rows = visible_bulk_exports(user=user)
    text = str(reference)
    if text == "last":
        found = list(rows[:1])
    else:
        digits = text.replace("-", "").lower()
        if not digits or len(digits) > 32 or set(digits) - set("0123456789abcdef"):
            found = []
        else:
            low, high = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
            found = list(rows.filter(pk__gte=low, pk__lte=high)[:2])
    if not found:
        raise NotFound(f"There is no bulk export {text[:100]!r}.", hint="See: repomill bulk list")
    if len(found) > 1:
        raise Conflict(f"Several bulk exports begin with {text!r}.", hint="Give more of the id.")
    return found[0]


def standing_word(bulk: BulkExport) -> str:
    """Return where a bulk export stands in one word: its status, or planning, paused, cancelling."""
    if bulk.status == BulkExport.Status.PENDING:
        return "paused" if bulk.paused_at is not None else "planning"
    return standing(
        status=bulk.status, paused=bulk.paused_at is not None, cancelling=bulk.cancel_requested_at is not None
    )


def progress_of(bulk: BulkExport, *, now: datetime) -> Progress:
    """Return how far a bulk export is, by one or two queries."""
    return progress_of_each([bulk], now=now)[bulk.pk]


def progress_of_each(bulks: Sequence[BulkExport], *, now: datetime) -> dict[UUID, Progress]:
    """Return how far each of them is, by two queries for all of them together."""
    items = BulkExportItem.objects.filter(bulk_export__in=[bulk.pk for bulk in bulks]).order_by()
    counted = _counted(items) if bulks else {}
    worked = _worked(items) if any(bulk.started_at for bulk in bulks) else {}
    return {bulk.pk: _progress(bulk, counted.get(bulk.pk, Counter()), worked.get(bulk.pk), now=now) for bulk in bulks}


def _progress(
    bulk: BulkExport, counts: Counter[str], worked: tuple[int, datetime] | None, *, now: datetime
) -> Progress:
    over = sum(counts[status] for status in _OVER)
    planning = bulk.status == BulkExport.Status.PENDING
    # What is in doubt counts as over, and may be under way again, where a person has it tried once more.
    most = 99 if bulk.status == BulkExport.Status.RUNNING and counts[Item.IN_DOUBT] else 100
    total = max(bulk.total, over + counts[Item.IN_FLIGHT] + counts[Item.PENDING])
    rate = _rate(bulk, worked, now=now)
    left = counts[Item.IN_FLIGHT] + counts[Item.PENDING]
    return Progress(
        total=total,
        completed=counts[Item.COMPLETED],
        skipped=counts[Item.SKIPPED],
        failed=counts[Item.FAILED],
        in_doubt=counts[Item.IN_DOUBT],
        cancelled=counts[Item.CANCELLED],
        in_flight=counts[Item.IN_FLIGHT],
        waiting=counts[Item.PENDING],
        percent=0 if planning else min(percent_of(over, total), most),
        rate=rate,
        ends_at=now + timedelta(seconds=left / rate) if rate and left and _goes_on(bulk) else None,
    )


def progress_words(progress: Progress) -> str:
    """Return a progress in one line, as people read it."""
    parts = [f"{progress.percent} % of {progress.total:,}"]
    parts += [f"{count:,} {word.replace('_', ' ')}" for word in STANDINGS if (count := progress.counts[word])]
    if progress.rate:
        slow = progress.rate < 1
        parts.append(f"{progress.rate * 60:.1f} a minute" if slow else f"{progress.rate:.1f} a second")
    if progress.ends_at:
        parts.append(f"ends about {timezone.localtime(progress.ends_at):%Y-%m-%d %H:%M}")
    return " · ".join(parts)


def percent_of(done: int, total: int) -> int:
    """Return whole percents, rounded down: 100 only when all is over."""
    return 100 if done >= total else done * 100 // total


def items_after(
    bulk: BulkExport, *, position: int = -1, statuses: tuple[str, ...] = (), limit: int = 500
) -> list[BulkExportItem]:
    """Return the next items after a position, with their exports."""
    items = BulkExportItem.objects.filter(bulk_export=bulk, position__gt=position)
    if statuses:
        items = items.filter(status__in=statuses)
    return list(items.select_related("export").order_by("position")[:limit])


def all_items(bulk: BulkExport, *, statuses: tuple[str, ...] = ()) -> Iterator[BulkExportItem]:
    """Yield every item in order, a page at a time."""
    position = -1
    while page := items_after(bulk, position=position, statuses=statuses):
        yield from page
        position = page[-1].position


def _counted(items: QuerySet[BulkExportItem]) -> dict[UUID, Counter[str]]:
    """Return how many items stand where, by one statement: a round between two would be seen by one of them alone."""
    standing = items.annotate(of=Value("item")).values_list("bulk_export", "of", "status").annotate(n=Count("pk"))
    tasks = items.filter(status=Item.IN_FLIGHT, task__status__in=list(ENDED))
    ended = tasks.annotate(of=Value("task")).values_list("bulk_export", "of", "task__status").annotate(n=Count("pk"))
    counts: dict[UUID, Counter[str]] = defaultdict(Counter)
    for bulk_export_id, of, status, count in standing.union(ended, all=True):
        if of == "task":
            counts[bulk_export_id][Item.IN_FLIGHT] -= count
        counts[bulk_export_id][ENDED[status] if of == "task" else status] += count
    return counts


def _goes_on(bulk: BulkExport) -> bool:
    return bulk.status == BulkExport.Status.RUNNING and bulk.paused_at is None and bulk.cancel_requested_at is None


def _worked(items: QuerySet[BulkExportItem]) -> dict[UUID, tuple[int, datetime]]:
    """Return how many deliveries were made since each began, and when the last one was."""
    done = items.filter(
        status__in=[Item.COMPLETED, Item.FAILED, Item.IN_DOUBT], completed_at__gte=F("bulk_export__started_at")
    )
    found = done.values_list("bulk_export").annotate(n=Count("pk"), last=Max("completed_at"))
    return {bulk_export_id: (count, last) for bulk_export_id, count, last in found}


def _rate(bulk: BulkExport, worked: tuple[int, datetime] | None, *, now: datetime) -> float | None:
    """Return deliveries a second since it began; what was skipped took no time and is not counted."""
    if bulk.started_at is None or worked is None:
        return None
    count, last = worked
    seconds = ((last if bulk.completed_at else now) - bulk.started_at).total_seconds()
    return count / seconds if seconds > 0 else None
