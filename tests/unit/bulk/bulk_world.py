"""A small world for the tests of bulk exports: projects with generations, and workers without a broker."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import workers.export.bulk  # noqa: F401  (registers the methods)
from backend.apps.authentication.models import User
from backend.apps.exports.models import BulkExport, BulkExportItem
from backend.apps.exports.services.bulk_advance import advance_after
from backend.apps.exports.services.bulk_archives import deliver_together
from backend.apps.exports.services.bulk_exports import start_bulk_export
from backend.apps.projects.models import Project
from backend.apps.projects.services.generations import generate
from backend.apps.workflows.execution.claim import ClaimedTask
from backend.apps.workflows.execution.run import TryAgain, execute
from backend.apps.workflows.models import TaskExecution
from workers.call import TaskCall
from workers.service_task import methods


class World:
    """Projects of one user, and a broker that keeps messages until `work` delivers them."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.messages: deque[Any] = deque()
        self.served: list[str] = []
        self.service: Callable[[ClaimedTask], Any] = self.real
        self.most_waiting = 0
        self.together = False
        """Whether workers deliver small archives together, as they do outside of tests."""

    def publish(self, tasks: Any) -> bool:
        self.messages.extend(task.pk for task in tasks)
        self.most_waiting = max(self.most_waiting, len(self.messages))
        return True

    def project(self, slug: str, text: str | None = "# x", owner: User | None = None) -> Project:
        project = Project.objects.create(name=slug, slug=slug, owner=owner or self.user)
        if text is not None:
            self.generate(project, text)
        return project

    def projects(self, count: int) -> list[Project]:
        return [self.project(f"p{number}", f"# {number}") for number in range(count)]

    def generate(self, project: Project, text: str) -> None:
        generate(project=project, user=project.owner, execution_id=None, readme=text)

    def start(self, selection: Any = None, export_type: str = "zip", **wanted: Any) -> BulkExport:
        return start_bulk_export(
            user=self.user, selection=selection or {"kind": "all"}, export_type=export_type, **wanted
        )

    def real(self, claimed: ClaimedTask) -> Any:
        return methods[claimed.method](TaskCall(claimed), **claimed.arguments)

    def _serve(self, claimed: ClaimedTask) -> Any:
        self.served.append(claimed.key)
        return self.service(claimed)

    def work(self, most: int = 100_000) -> int:
        """Deliver messages, and those that follow from them; return how many."""
        done = 0
        while self.messages and done < most:
            task_id = self.messages.popleft()
            had = deliver_together(task_id, worker="w1") if self.together else []
            if not had and isinstance(execute(task_id, service=self._serve, worker="w1"), TryAgain):
                continue
            self.served += TaskExecution.objects.filter(pk__in=had).values_list("key", flat=True)
            advance_after(had or [task_id])
            done += 1
        return done


def items_of(bulk: BulkExport) -> dict[str, str]:
    """Return each project's status in a bulk export."""
    return dict(BulkExportItem.objects.filter(bulk_export=bulk).values_list("project_slug", "status"))


def again(bulk: BulkExport) -> BulkExport:
    """Read a bulk export anew."""
    return BulkExport.objects.select_related("created_by").get(pk=bulk.pk)


def tasks_in_flight() -> int:
    """Count the tasks that wait for a worker or are with one."""
    return TaskExecution.objects.filter(status__in=["pending", "running"]).count()
