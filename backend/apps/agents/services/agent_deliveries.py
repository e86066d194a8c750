"""Packaging and exporting as an agent asks for it. The work is done by workers, as durable tasks; here it is asked for.

A token is never taken: a host is reached by the name of a credential.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from backend.apps.agents.services.acting import Acting
from backend.apps.authentication.roles import Right
from backend.apps.exports.selectors import get_export
from backend.apps.exports.services.links import SECONDS, signed_download_url
from backend.apps.exports.step_types import REPO_CREATION
from backend.apps.projects.models import Archive
from backend.apps.workflows.access import visible_tasks
from backend.apps.workflows.models import TaskExecution
from backend.apps.workflows.services import enqueue_method
from backend.apps.workflows.step_types import Link
from backend.errors import InvalidInput, NotFound

HOSTS = ("git", "github", "gitlab")
REPOSITORY_WORDS = (
    *("credential", "repository_name", "url", "organization", "private", "namespace", "visibility"),
    *("branch", "description", "topics"),
)
"""What may be said of a repository; which of them a host knows is checked by the exports."""


@dataclass(frozen=True)
class AgentDeliveries:
    """Archives and repositories of the project's newest generation. Each method is one action in the audit trail."""

    acting: Acting

    def package(self, format: str = "zip", *, key: str | None = None) -> dict[str, Any]:
        """Have the newest generation packaged; returns the task, whose result is the archive.

        format: zip, tar or tar.gz. key: names the work for ever; the same key is done once.
        """
        if format not in Archive.Format.values:
            raise InvalidInput(f"There is no format {format[:20]!r}.", field="format", expected=Archive.Format.values)
        return self._ask("package", Link("generation.package_project", {"format": format}), key=key, format=format)

    def export(self, to: str, *, key: str | None = None, **repository: Any) -> dict[str, Any]:  # noqa: ANN401  (JSON)
        """Have the newest generation delivered; returns the task, whose result names the export.

        to: zip, tar or tar.gz for an archive; git, github or gitlab for a repository.
        repository: of REPOSITORY_WORDS what that host knows: repository_name, credential, organization, ...
        key: names the work for ever; the same key is done once.
        Raises InvalidInput for what the host does not know, NotFound and PermissionRefused for the project.
        """
        if unknown := sorted(set(repository) - set(REPOSITORY_WORDS)):
            raise InvalidInput(
                f"An export takes no {unknown[0][:40]!r}.",
                field=unknown[0][:40],
                expected=list(REPOSITORY_WORDS),
                hint="A host is reached by the name of a credential; a token never stands here.",
            )
        if to in HOSTS:
            config = {**repository, "host": to}
        elif to in Archive.Format.values and not repository:
            config = {"export_type": to}
        else:
            raise InvalidInput(
                f"There is no export to {to[:20]!r}." if not repository else "An archive has no repository.",
                field="to",
                expected=[*Archive.Format.values, *HOSTS],
            )
        # The same links as of a step of a workflow; the last one delivers.
        return self._ask("export", REPO_CREATION.links(config)[-1], key=key, to=to, **repository)

    def task(self, task_id: UUID | str, *, noted: bool = True) -> dict[str, Any]:
        """Return a task that was asked for: its status, and its result or error. Raises NotFound.

        noted: False where it is looked at again and again; the first look is the one in the trail.
        """
        if not noted:
            return as_told(self._found(task_id))
        with self.acting.anywhere("task.read", Right.SEE, task=str(task_id)[:40]) as row:
            found = self._found(task_id)
            self.acting.belongs_to(row, found.project_id, "")
        return as_told(found)

    def link(self, export: UUID | str, *, seconds: int = SECONDS) -> dict[str, Any]:
        """Return a link with which an export's archive is downloaded without a token, for a short while.

        export: its id, as the task's result names it. seconds: how long it works. Raises NotFound, ExportNotReady.
        """
        with self.acting.anywhere("link", Right.SEE, export=str(export)[:40], seconds=seconds) as row:
            found = get_export(user=self.acting.user, export_id=export)
            project = found.generated_project.project
            self.acting.belongs_to(row, project.pk, project.slug)
            made = signed_download_url(user=self.acting.user, export_id=found.pk, seconds=seconds)
        return {"url": made.url, "expires_at": made.expires_at.isoformat()}

    def _found(self, task_id: UUID | str) -> TaskExecution:
        try:
            identifier = task_id if isinstance(task_id, UUID) else UUID(task_id)
        except ValueError:
            found = None
        else:
            found = visible_tasks(user=self.acting.user).filter(pk=identifier).first()
        if found is None:
            raise NotFound(f"There is no task {str(task_id)[:60]!r}.", field="task")
        return found

    def _ask(self, action: str, link: Link, *, key: str | None, **about: Any) -> dict[str, Any]:  # noqa: ANN401
        with self.acting.on_project(action, Right.RUN, key=key, **about) as project:
            task = enqueue_method(
                method=link.method,
                arguments=link.arguments,
                # Keys of tasks are everybody's: another user's, or another project's, key is another key.
                key=f"agent/{project.pk}/{self.acting.user.pk}/{key or uuid4()}",
                user=self.acting.user,
                project_id=project.pk,
                project_name=project.slug,
            )
        return as_told(task)


def as_told(task: TaskExecution) -> dict[str, Any]:
    """Return a task as an agent is told of it; never its arguments."""
    told = {"task": str(task.pk), "method": task.method, "status": task.status, "attempt": task.attempt}
    if task.not_before is not None:
        told["not_before"] = task.not_before.isoformat()
    return told | {name: getattr(task, name) for name in ("result", "error") if getattr(task, name) is not None}
