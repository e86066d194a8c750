"""What a task's body is given: the claimed task, and the services it may call with that task's rights."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar
from uuid import UUID

from backend.apps.agents.services.api_caller import AgentAPICaller
from backend.apps.agents.services.calls import run
from backend.apps.authentication.grants import from_json, require_live
from backend.apps.authentication.models import User
from backend.apps.projects.models import Project
from backend.apps.projects.selectors import get_project
from backend.apps.projects.services.project_generator import ProjectGenerator
from backend.apps.workflows.decisions.retry import GiveUp, decide_retry
from backend.apps.workflows.execution.claim import ClaimedTask, require_newest
from backend.errors import InvalidInput, RepomillError

Result = TypeVar("Result")


@dataclass(frozen=True)
class TaskCall:
    """One attempt of a task.

    The user's rights are looked up when the work is done, not when it was asked for: somebody who has left the
    project in between can no longer change it. Work that a service token started does no more than the token may, and
    nothing in its user's name once the token has ended.
    """

    task: ClaimedTask

    @cached_property
    def user(self) -> User:
        """On whose behalf the work is done, as they are now. Raises PermissionRefused where their token has ended."""
        user = User.objects.get(pk=self.task.user_id)
        user.grant = from_json(self.task.grant)
        require_live(user.grant)
        return user

    @cached_property
    def author(self) -> User:
        """The same, for the task's own work in its own project: there a token that may start work may have it write.

        What calls the API acts as `user` instead.
        """
        if self.user.grant is None or self.task.project_id is None:
            return self.user
        author = copy.copy(self.user)
        author.grant = self.user.grant.within_run(self.task.project_id)
        return author

    @cached_property
    def project(self) -> Project:
        """The project the work is done on. Raises NotFound or PermissionRefused as things stand now."""
        if self.task.project_id is None:
            raise InvalidInput(
                f"The method {self.task.method} works on a project, and none was given.",
                field="project",
                hint="Start the execution with a project: repomill run FILE --project NAME",
            )
        return get_project(user=self.author, project_id=self.task.project_id, write=True)

    @property
    def execution_id(self) -> UUID | None:
        """The execution the task belongs to, or None for a task on its own."""
        return self.task.execution_id

    @cached_property
    def work(self) -> dict[str, Any]:
        """What the services that record a generation ask for: project, user and execution."""
        return {"project": self.project, "user": self.author, "execution_id": self.execution_id}

    @cached_property
    def generator(self) -> ProjectGenerator:
        """The generator of the project's own workspace, which only the newest attempt writes to."""
        return ProjectGenerator(str(self.project.pk), fence=self.require_newest)

    def require_newest(self) -> None:
        """Raise Overtaken where another attempt has taken over; none does until the transaction, if any, ends."""
        require_newest(self.task.id, attempt=self.task.attempt)

    def gives_up(self, error: RepomillError) -> bool:
        """Return whether this attempt is the last one if it ends with this error."""
        retries, most = self.task.retries, self.task.max_retries
        return isinstance(decide_retry(error, retries=retries, max_retries=most, jitter=0.0), GiveUp)

    def api(self, work: Callable[[AgentAPICaller], Awaitable[Result]]) -> Result:
        """Do something with our REST API as `user`; a repeated attempt repeats the same idempotency keys.

        Raises Overtaken where another attempt has taken over: it may know by now what became of this one's requests.
        """
        self.require_newest()
        return run(work, user=self.user, idempotency_key=self.task.key, taken_over=self.task.took_over)
