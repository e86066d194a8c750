"""Bulk exports in every standing, schedules with a history, and credentials, for pages to show.

The bulk exports are planned and done by the real engine. Archives are real ones; hosts are played: each delivery is
recorded as a real one would be, or fails as one does. `build` runs inside an installation's process, after
`world.people`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch
from uuid import UUID

from django.utils import timezone

import workers.export.bulk  # noqa: F401  (registers the methods)
from backend.apps.authentication.models import User
from backend.apps.credentials.models import Credential
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.keeping import add_credential
from backend.apps.exports.bulk_models import BulkExport, BulkExportItem
from backend.apps.exports.models import RepositoryExport
from backend.apps.exports.schedule_models import ExportSchedule, ScheduleRun
from backend.apps.exports.services.bulk_advance import advance_after
from backend.apps.exports.services.bulk_exports import pause_bulk_export, start_bulk_export
from backend.apps.exports.services.schedules import create_schedule, pause_schedule
from backend.apps.projects.models import Project
from backend.apps.projects.services.generations import generate
from backend.apps.projects.services.planning import create_project
from backend.apps.workflows.execution.claim import ClaimedTask
from backend.apps.workflows.execution.run import TryAgain, execute
from backend.apps.workflows.models import TaskExecution
from backend.errors import InDoubt, RateLimited, RemoteRefused
from tests.browser.people import OPERATOR
from workers.call import TaskCall
from workers.service_task import methods

Service = Callable[[ClaimedTask], Any]
COMMIT = "4f2a91c07d5be61f7e9d0a3c58e2b46a1d9f7c30"
TOKEN = "ghp_" + "7" * 36
SLUGS = [f"{word}-{kind}" for kind in ("api", "web", "worker") for word in ("billing", "cart", "catalogue", "search")]


class Line:
    """Takes the messages that would go to the broker, and does their work."""

    def __init__(self) -> None:
        self.messages: deque[UUID] = deque()

    def publish(self, tasks: Any) -> bool:
        self.messages.extend(task.pk for task in tasks)
        return True

    def work(self, service: Service, *, most: int = 10_000) -> None:
        """Do what there is to do; not more than `most` tasks."""
        while self.messages and most:
            task_id = self.messages.popleft()
            if isinstance(execute(task_id, service=service, worker="export@mill-1"), TryAgain):
                # It is parked, and counts as done for now.
                most -= 1
                continue
            advance_after([task_id])
            most -= 1


@contextmanager
def line() -> Iterator[Line]:
    """Play the broker and the workers."""
    playing = Line()
    with (
        patch("backend.apps.workflows.execution.chains.publish_chain", playing.publish),
        # Each item has a message of its own.
        patch("backend.apps.exports.services.bulk_archives.TOGETHER", 1),
    ):
        yield playing


def real(claimed: ClaimedTask) -> Any:
    """Do what a worker does."""
    return methods[claimed.method](TaskCall(claimed), **claimed.arguments)


def hosted(failing: dict[str, Exception]) -> Service:
    """Return services of which deliveries to a host are played. failing: how those of some projects end."""

    def serve(claimed: ClaimedTask) -> Any:
        if claimed.method != "bulk.deliver":
            return real(claimed)
        item = BulkExportItem.objects.select_related("bulk_export", "generation").get(pk=claimed.arguments["item"])
        if item.project_slug in failing:
            raise failing[item.project_slug]
        assert item.generation is not None
        RepositoryExport.objects.create(
            key=claimed.key,
            generated_project=item.generation,
            export_type=item.bulk_export.export_type,
            repository_name=f"acme/backup-{item.project_slug}",
            repository_url=f"https://github.com/acme/backup-{item.project_slug}",
            commit=COMMIT,
            status="completed",
            created_by=item.bulk_export.created_by,
        )
        return {"commit": COMMIT}

    return serve


def projects(user: User, slugs: Sequence[str]) -> list[Project]:
    """Make projects with a generation each."""
    made = []
    for slug in slugs:
        project = create_project(user=user, name=slug.replace("-", " ").capitalize(), slug=slug)
        generate(project=project, user=user, execution_id=None, readme=f"# {slug}\n", structure={"src": {"a.py": ""}})
        made.append(project)
    return made


def destination(credential: str = "acme-bot") -> dict[str, Any]:
    """Return a destination on GitHub."""
    return {"credential": credential, "organization": "acme", "repository_name": "backup-{slug}"}


def age(bulk: BulkExport, by: timedelta, *, took: timedelta) -> BulkExport:
    """Let a bulk export have been earlier, and have taken a while."""
    began = timezone.now() - by
    BulkExport.objects.filter(pk=bulk.pk).update(created_at=began, started_at=began)
    ended = began + took
    BulkExport.objects.filter(pk=bulk.pk).exclude(completed_at=None).update(completed_at=ended)
    BulkExportItem.objects.filter(bulk_export=bulk).exclude(completed_at=None).update(completed_at=ended)
    bulk.refresh_from_db()
    return bulk


def build(words: Sequence[str] = ()) -> dict[str, str]:
    """Make all of it for the operator; return ids by what they show. words: hostile names."""
    user = User.objects.get(username=OPERATOR)
    made = {**_credentials(user), **_schedules(user)}
    projects(user, SLUGS)
    everything: dict[str, Any] = {"user": user, "selection": {"kind": "all"}}
    with line() as work:
        first = start_bulk_export(name="Every night", export_type="zip", **everything)
        work.work(real)
        age(first, timedelta(hours=30), took=timedelta(minutes=3))
        last = start_bulk_export(
            name="Every night", export_type="zip", schedule_id=UUID(made["schedule"]), **everything
        )
        work.work(real)
        age(last, timedelta(hours=6), took=timedelta(seconds=4))
        hub: dict[str, Any] = {"export_type": "github", "destination": destination(), **everything}
        theirs = RemoteRefused(
            "The repository acme/backup-cart-web is somebody else's.", hint="Choose another pattern of names."
        )
        lost = InDoubt("The answer to the making of acme/backup-search-api was lost.")
        failed = start_bulk_export(name="To GitHub, with trouble", **hub)
        work.work(hosted({"cart-web": theirs, "billing-worker": theirs, "search-api": lost}))
        age(failed, timedelta(hours=3), took=timedelta(minutes=2))
        other = {**hub, "destination": {**destination(), "repository_name": "mirror-{slug}"}}
        limited = RateLimited("GitHub asks to wait until its limit is reset.", retry_after=1_500)
        going = start_bulk_export(name="To GitHub", window=5, **other)
        work.work(real, most=1)
        # They go in the order of their ids, by chance: those that are reached are to fail and to wait.
        slugs = list(going.items.order_by("position").values_list("project_slug", flat=True))
        work.work(hosted({slugs[1]: theirs, **dict.fromkeys(slugs[5:8], limited)}), most=10)
        age(going, timedelta(minutes=9), took=timedelta())
        work.messages.clear()
        paused = start_bulk_export(
            name="Held back", window=3, **{**hub, "destination": {**destination(), "repository_name": "held-{slug}"}}
        )
        work.work(hosted({}), most=4)
        pause_bulk_export(paused)
        work.messages.clear()
        planning = start_bulk_export(
            name=words[0][:200] if words else "Just asked for", export_type="tar", **everything
        )
        work.messages.clear()
    made |= {"done": str(last.pk), "failed": str(failed.pk), "going": str(going.pk)}
    return made | {"paused": str(paused.pk), "planning": str(planning.pk), "all": str(first.pk)}


def _credentials(user: User) -> dict[str, str]:
    now = timezone.now()
    bot = add_credential(user=user, name="acme-bot", host="github", secret=Secret(TOKEN))
    forge = add_credential(
        user=user,
        name="forge",
        host="gitlab",
        secret=Secret("glpat-" + "8" * 20),
        base_url="https://gitlab.example.org",
    )
    attic = add_credential(
        user=user, name="attic", host="git", secret=Secret("x y"), base_url="https://git.example.org", username="robot"
    )
    rows = Credential.objects
    rows.filter(pk=bot.pk).update(
        account="acme-bot", scopes=["repo", "workflow"], last_checked_at=now, last_used_at=now - timedelta(minutes=9)
    )
    rows.filter(pk=forge.pk).update(
        account="mill", scopes=["api"], last_checked_at=now - timedelta(days=3), expires_at=now + timedelta(days=9)
    )
    return {"credential": str(bot.pk), "forge": str(forge.pk), "attic": str(attic.pk)}


def _schedules(user: User) -> dict[str, str]:
    archives: dict[str, Any] = {"selection": {"kind": "all"}, "export_type": "zip"}
    hub = {"selection": {"kind": "all"}, "export_type": "github", "destination": destination()}
    nightly = create_schedule(
        owner=user,
        name="nightly-archives",
        cron="30 2 * * *",
        time_zone="Europe/Berlin",
        export=archives,
        keep_last=7,
        keep_days=30,
        notify_email=["ops@example.org"],
    )
    weekly = create_schedule(owner=user, name="weekly-to-github", cron="0 6 * * 1", export=hub, overlap="queue")
    often = create_schedule(owner=user, name="every-quarter-of-an-hour", interval_seconds=900, export=archives)
    pause_schedule(create_schedule(owner=user, name="on-hold", cron="0 0 1 * *", export=archives))
    now = timezone.now()
    refused = {"code": "items_failed", "message": "Items of the bulk export have failed.", "retryable": False}
    for days in range(12, 0, -1):
        due = (now - timedelta(days=days)).replace(hour=1, minute=30, second=0, microsecond=0)
        _ran(nightly, due, "failed" if days in {5, 9} else "completed", error=refused if days in {5, 9} else None)
        if days % 7 == 2:
            _ran(weekly, due.replace(hour=6, minute=0), "failed", error=refused)
    _ran(often, now - timedelta(minutes=20), "skipped", reason="The one before still ran.")
    return {"schedule": str(nightly.pk), "weekly": str(weekly.pk)}


def _ran(schedule: ExportSchedule, due: datetime, status: str, **more: Any) -> None:
    ended = due + timedelta(minutes=3)
    result = {"archives_removed": 2} if status == "completed" else None
    ScheduleRun.objects.create(schedule=schedule, due_at=due, status=status, completed_at=ended, result=result, **more)


def go_on(bulk_export_id: str) -> None:
    """Let what is parked or held back in a bulk export go on, and do it."""
    with line() as work:
        waiting = TaskExecution.objects.filter(key__startswith=f"bulk:{bulk_export_id}:", status="pending")
        waiting.update(not_before=None)
        work.messages.extend(waiting.values_list("pk", flat=True))
        work.work(hosted({}))
