"""Generating: a generation is filled, committed and recorded.

A generation is one commit, which follows the project's newest; later steps of its execution make it anew with their
files. Only once it has been delivered to a repository they follow it, since what others have is never taken back.
Everything may be repeated after a crash at any point: the same parent gives the same commit. Who may do it is checked
here once more, because a task runs later than it was asked for.

Where an earlier commit of the project is known, only what differs from it is hashed into the store and recorded. A
commit is made of what was asked for and of what the store has, never of a workspace, so that nothing else can get into
it. Packaging is `packaging`'s, the rows are `generation_records`'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from backend.apps.authentication.models import User
from backend.apps.projects.models import Archive, GeneratedProject, Project
from backend.apps.projects.services.changes import changes_to, require_paths
from backend.apps.projects.services.commit_sharing import share
from backend.apps.projects.services.content import Content, content_file
from backend.apps.projects.services.generation_plan import plan_of
from backend.apps.projects.services.generation_records import fail, open_generation, record
from backend.apps.projects.services.git_store import Commit, GitStore
from backend.apps.projects.services.packaging import completed_generation, package
from backend.apps.projects.services.project_generator import ProjectGenerator
from backend.apps.projects.services.recorded_files import recorded_content
from backend.apps.projects.services.structure import Plan
from backend.apps.projects.services.working_copy import bring_to
from backend.apps.projects.services.workspace import Workspace
from backend.apps.workflows.execution.fence import Fence, no_fence
from backend.apps.workflows.execution.interruption import Interrupted
from backend.apps.workflows.execution.persistence import persistently
from backend.errors import Conflict, NotFound, RepomillError, TemporaryFailure
from backend.failpoints import Failpoint, reached
from backend.gc_pause import gc_paused

__all__ = ["as_result", "completed_generation", "generate", "open_generation", "package"]

NOTHING = Content((), ())
CHANGED = "The workspace went while its files were written."
TRY_AGAIN = "It is done again; if this comes back, see what else writes below GENERATED_PROJECTS_DIR."
INTERRUPTED = "The work was interrupted before it was done."


@gc_paused()
def generate(
    *,
    project: Project,
    user: User,
    execution_id: UUID | None,
    task_id: UUID | None = None,
    based_on: str | None = None,
    remove: Sequence[str] | None = None,
    fence: Fence = no_fence,
    gives_up: Callable[[RepomillError], bool] | None = None,
    **content: Any,  # noqa: ANN401  (structure, files, templates, gitignore, readme)
) -> dict[str, Any]:
    """Generate files, commit everything the generation has by then, and record it.

    content: as for `ProjectGenerator.generate`; what the generation has already stays.
    task_id, based_on: see `open_generation`. remove: paths of files and directories that are to go.
    fence: raises Overtaken where another attempt does this by now. What is completed is not opened again then, what it
        wrote is not written over, and what it does is not called failed.
    gives_up: says of an error whether nobody will try again; by default that is what the error itself says.
    Raises InvalidInput and its kin, after which the generation is failed; WorkspaceBusy while another step of the same
    execution writes.
    """
    generation = open_generation(
        project=project, user=user, execution_id=execution_id, task_id=task_id, based_on=based_on, fence=fence
    )
    work = _Work(project, ProjectGenerator(str(project.pk), generation_id=str(generation.pk), fence=fence))
    try:
        plan, gone = plan_of(**content, limits=work.generator.limits), require_paths(remove)
        # One writer from the first file to the record: what is recorded last is what was committed last.
        with work.workspace.writing(), _vanishing(work.workspace):
            generation.refresh_from_db()
            commit = work.commit(generation, plan=plan, remove=gone)
            reached(Failpoint.COMMITTED)
            # Before the record: what is recorded can be had on every host.
            work.share(generation, commit)
            record(generation, commit, seal=work.workspace.seal(), before=work.recorded)
    except RepomillError as error:
        again = execution_id is not None or task_id is not None
        if not again or (gives_up(error) if gives_up else not error.retryable):
            persistently(fail, generation, error.message, fence=fence)
        raise
    except (Interrupted, Exception):
        # Cancelled, past its time limit, or a fault: whatever it is, nobody generates it any more.
        persistently(fail, generation, INTERRUPTED, fence=fence)
        raise
    return as_result(generation)


@contextmanager
def _vanishing(workspace: Workspace) -> Iterator[None]:
    """Make it something to be tried again where the workspace itself goes while it is worked on: a new container."""
    try:
        yield
    except (NotFound, FileNotFoundError) as error:
        if workspace.exists() and not isinstance(error, FileNotFoundError):
            raise
        raise TemporaryFailure(CHANGED, hint=TRY_AGAIN) from error


@dataclass(frozen=True)
class _Reference:
    """An earlier commit and what it holds; none, and nothing, to begin with.

    keep: its files stay; own: the generation's workspace held just that.
    """

    commit: str | None
    content: Content
    keep: bool = False
    own: bool = False


class _Work:
    def __init__(self, project: Project, generator: ProjectGenerator) -> None:
        self.project = project
        self.generator = generator
        self.store = GitStore.for_project(project.pk)
        self.recorded: Content | None = None
        """What the generation's own rows say, once they were read."""

    @property
    def workspace(self) -> Workspace:
        return self.generator.workspace

    def commit(self, generation: GeneratedProject, *, plan: Plan, remove: Sequence[str]) -> Commit:
        """Fill the workspace, and commit what it is to hold."""
        parent = (generation.commit if _is_delivered(generation) else generation.parent_commit) or None
        reference = self._reference(generation)
        self.store.require({commit for commit in (reference.commit, parent) if commit})
        changes = changes_to(
            base=reference.content, plan=plan, keep=reference.keep, remove=remove, limits=self.generator.limits
        )
        try:
            bring_to(
                changes.content,
                workspace=self.workspace,
                plan=plan,
                recorded=reference.content if reference.own else None,
                seal=generation.workspace_seal,
                store=self.store,
                commit=reference.commit,
            )
        except (NotFound, FileNotFoundError) as error:
            raise TemporaryFailure(CHANGED, hint=TRY_AGAIN) from error
        reached(Failpoint.WORKSPACE_WRITTEN)
        message = f"Generate {self.project.slug}"
        return self.store.commit(
            changes, base=reference.commit, message=message, parent=parent, when=generation.created_at
        )

    def share(self, generation: GeneratedProject, commit: Commit) -> None:
        """Let the other hosts have the commit, where they share no folder with this one."""
        base = generation.based_on
        follows = {generation.commit, generation.parent_commit, base.commit if base else ""} - {"", commit.commit}
        share(self.store, project_id=self.project.pk, commit=commit.commit, follows=follows)

    def _reference(self, generation: GeneratedProject) -> _Reference:
        if generation.commit:
            self.recorded = recorded_content(generation)
            content = self.recorded or self._committed_content(generation)
            return _Reference(generation.commit, content, keep=True, own=True)
        base = generation.based_on
        if base is not None:
            content = recorded_content(base, previews=True) or self._committed_content(base)
            return _Reference(base.commit, content, keep=True)
        before = (
            GeneratedProject.objects.filter(project=self.project, commit=generation.parent_commit)
            .exclude(commit="")
            .order_by("-completed_at")
            .first()
        )
        known = recorded_content(before, previews=True) if before else None
        return _Reference(generation.parent_commit, known) if known else _Reference(None, NOTHING)

    def _committed_content(self, generation: GeneratedProject) -> Content:
        """Return what a generation holds as its commit says, where its rows do not."""
        self.store.require({generation.commit})
        with self.store.tree(generation.commit) as tree:
            paths = [entry.path for entry in tree.entries() if not entry.is_directory]
            files = tuple(content_file(path, data, executable=x) for path, data, x in tree.contents(paths))
        read = Content(files=files, empty_directories=tuple(generation.empty_directories))
        if read.digest != generation.content_digest:
            raise Conflict(
                "The generation's files are neither in the database nor in the git store as they were recorded.",
                hint="Restore both from backups of one time.",
            )
        return read


def _is_delivered(generation: GeneratedProject) -> bool:
    """Return whether a repository has the commit, or may have it: a push leaves its row before it begins."""
    archives = [str(value) for value in Archive.Format.values]
    return generation.repository_exports.exclude(export_type__in=archives).exists()


def as_result(generation: GeneratedProject) -> dict[str, Any]:
    """Return a completed generation as a task's result."""
    return {
        "generation": str(generation.pk),
        "commit": generation.commit,
        "content_digest": generation.content_digest,
        "total_files": generation.total_files,
        "total_size": generation.total_size,
        "output_directory": generation.output_directory,
    }
