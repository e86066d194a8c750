"""The rows of generations: opening one, recording what was committed, and calling it failed.

Every change of status is an UPDATE whose condition names what it comes from. The files themselves are `generations`'.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.projects.models import GeneratedProject, Project
from backend.apps.projects.selectors import get_project, newest_generation
from backend.apps.projects.services.content import Content
from backend.apps.projects.services.git_store import Commit
from backend.apps.projects.services.organisation_limits import require_room_to_generate, require_storage
from backend.apps.projects.services.recorded_files import record_files
from backend.apps.workflows.execution.claim import Overtaken
from backend.apps.workflows.execution.fence import Fence, no_fence
from backend.apps.workflows.models import WorkflowExecution
from backend.errors import Conflict, InvalidInput, NotFound, TemporaryFailure

LATEST = "latest"
ABANDONED = "The work ended before it was generated."

_Status = GeneratedProject.Status
_CAN_BE_RECORDED = (_Status.GENERATING, _Status.FAILED, _Status.COMPLETED)
_Execution = WorkflowExecution.Status


def open_generation(
    *,
    project: Project,
    user: User,
    execution_id: UUID | None,
    task_id: UUID | None = None,
    based_on: str | None = None,
    fence: Fence = no_fence,
) -> GeneratedProject:
    """Return the execution's generation of the project, made if need be, as one that is being generated.

    execution_id: without one it is the generation of `task_id`, a task on its own, whose attempts share it; without
        either a new one each time. The commit that it follows is settled when it is made.
    based_on: the id of an earlier generation of the project whose files it begins with, or `latest` for the newest
        completed one, if there is any.
    fence: raises Overtaken where another attempt does this by now, and may have completed what this one would open.
    Raises NotFound or PermissionRefused where the user may not write, NotFound for another base, Conflict for an
    archived generation or one that has begun with another base; and as `require_room_to_generate` does.
    """
    get_project(user=user, project_id=project.pk, write=True)
    with transaction.atomic():
        fence()
        generation = _existing_or_new(project=project, user=user, execution_id=execution_id, task_id=task_id)
        base = base_of(generation, based_on)
        require_room_to_generate(generation=generation)
        opened = (
            GeneratedProject.objects.filter(pk=generation.pk)
            .exclude(status=_Status.ARCHIVED)
            .update(status=_Status.GENERATING, error_message="", based_on=base, updated_at=timezone.now())
        )
    if not opened:
        raise Conflict("The generation has been archived; its files are gone.", hint="Start a new execution.")
    generation.refresh_from_db()
    return generation


def await_generation(*, project: Project, user: User, execution_id: UUID) -> GeneratedProject:
    """Return the execution's generation of the project, made as one that is pending: nobody works on it yet.

    The caller has checked that the user may start work on the project.
    """
    return _existing_or_new(project=project, user=user, execution_id=execution_id)


def record(generation: GeneratedProject, commit: Commit, *, seal: str, before: Content | None = None) -> None:
    """Record what was committed: the generation is completed, and its files can be listed.

    generation: as it was when the commit's parent was chosen; before: what its rows said then, where they were read.
    Raises TemporaryFailure where another commit has been recorded since, Conflict where it was archived,
    OrganisationFull.
    """
    now = timezone.now()
    with transaction.atomic():
        require_storage(generation=generation, size=commit.size)
        # Also where an attempt that this one has overtaken called it failed meanwhile: the files are this one's.
        mine = GeneratedProject.objects.filter(pk=generation.pk, status__in=[_Status.GENERATING, _Status.FAILED])
        values: dict[str, Any] = {
            "status": _Status.COMPLETED,
            "error_message": "",
            "commit": commit.commit,
            "content_digest": commit.content_digest,
            "empty_directories": list(commit.content.empty_directories),
            "workspace_seal": seal,
            # Of the host that has just written it; another one may have opened the generation.
            "output_directory": _workspace_of(generation.pk),
            "total_files": len(commit.files),
            "total_size": commit.size,
            "completed_at": now,
            "updated_at": now,
        }
        recorded = mine.filter(commit=generation.commit).update(**values)
        if not recorded:
            # Another attempt may have recorded the same commit.
            recorded, before = mine.filter(commit=commit.commit).update(**values), None
        if not recorded and GeneratedProject.objects.filter(pk=generation.pk, status__in=_CAN_BE_RECORDED).exists():
            # Another step, or an attempt that was overtaken and woke up before it knew: the next one builds on it.
            raise TemporaryFailure("Somebody else has generated into it meanwhile.", retry_after=1.0)
        if not recorded:
            raise Conflict("The generation was changed by somebody else meanwhile.", hint="Repeat the step.")
        record_files(generation, commit.files, recorded=before)
    generation.refresh_from_db()


def fail(generation: GeneratedProject, message: str, *, fence: Fence = no_fence) -> None:
    """Call a generation failed that is being generated.

    One that has been completed meanwhile is left as it is, and one that another attempt generates.
    """
    with suppress(Overtaken), transaction.atomic():
        fence()
        GeneratedProject.objects.filter(pk=generation.pk, status=_Status.GENERATING).update(
            status=_Status.FAILED, error_message=message, updated_at=timezone.now()
        )


def fail_abandoned(*, now: datetime) -> int:
    """Call those generations failed that nobody can be generating any more, and return how many there were.

    They are those whose execution has ended (a task that was cancelled, or died with its worker too often, ends
    without its service), and without an execution those that were opened longer ago than a task may take.
    """
    ended = WorkflowExecution.objects.filter(
        status__in=[_Execution.COMPLETED, _Execution.FAILED, _Execution.CANCELLED]
    ).values("pk")
    too_old = now - timedelta(seconds=settings.ENVIRONMENT.task_hard_limit)
    abandoned = Q(workflow_execution__in=ended) | Q(workflow_execution=None, updated_at__lt=too_old)
    return GeneratedProject.objects.filter(abandoned, status__in=[_Status.PENDING, _Status.GENERATING]).update(
        status=_Status.FAILED, error_message=ABANDONED, updated_at=now
    )


def _workspace_of(generation: UUID) -> str:
    return str(Path(settings.GENERATED_PROJECTS_DIR) / str(generation))


def _existing_or_new(
    *, project: Project, user: User, execution_id: UUID | None, task_id: UUID | None = None
) -> GeneratedProject:
    identifier = uuid4() if task_id is None or execution_id is not None else uuid5(project.pk, str(task_id))
    own = {"pk": identifier} if execution_id is None else {"workflow_execution_id": execution_id}
    known = GeneratedProject.objects.filter(project=project, **own).first()
    if known is not None:
        return _begun(known)
    before = newest_generation(project=project, execution_id=None)
    values = {
        "id": identifier,
        "created_by": user,
        "output_directory": _workspace_of(identifier),
        "parent_commit": before.commit if before else "",
    }
    # Two tasks of one execution may come here at once: the unique constraint lets one make it.
    made, _ = GeneratedProject.objects.get_or_create(project=project, **own, defaults=values)
    return made


def _begun(generation: GeneratedProject) -> GeneratedProject:
    """Let a generation that was only awaited follow the commit that is the newest now, and not the one of back then."""
    if generation.status == _Status.PENDING:
        before = newest_generation(project=generation.project, execution_id=None)
        GeneratedProject.objects.filter(pk=generation.pk, status=_Status.PENDING).update(
            parent_commit=before.commit if before else ""
        )
    return generation


def base_of(generation: GeneratedProject, based_on: str | None) -> GeneratedProject | None:
    """Return what the generation begins with. Once something is recorded, that is settled.

    Raises as `open_generation` does.
    """
    settled = bool(generation.commit)
    if based_on is None:
        return generation.based_on if settled else None
    if based_on == LATEST:
        # A repeated attempt begins with what the first one began with.
        found = generation.based_on or newest_generation(project=generation.project, execution_id=None)
        return generation.based_on if settled else found
    base = _named(generation, based_on)
    if settled and base.pk != generation.based_on_id:
        raise Conflict(
            "The generation has files already, which it did not begin with that one.",
            field="based_on",
            hint="Give based_on to the first step that generates files, or start another execution.",
        )
    return base


def _named(generation: GeneratedProject, based_on: str) -> GeneratedProject:
    expected = "the id of a generation of this project, or latest"
    try:
        identifier = UUID(based_on)
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidInput(f"{str(based_on)[:60]!r} is no generation.", field="based_on", expected=expected) from error
    # An archived one will do: its commit stays.
    usable = [_Status.COMPLETED, _Status.ARCHIVED]
    base = (
        GeneratedProject.objects.filter(pk=identifier, project=generation.project, status__in=usable)
        .exclude(pk=generation.pk)
        .exclude(commit="")
        .first()
    )
    if base is None:
        raise NotFound(
            f"The project has no completed generation {identifier}.",
            field="based_on",
            expected=expected,
            hint="`repomill projects log PROJECT` lists them.",
        )
    return base
