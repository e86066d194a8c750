"""Generations of a project: opening one, filling and committing it, and packaging it; each recorded in the database.

Everything may be repeated after a crash at any point: the commit, the rows and the archive come out the same. Who may
do it is checked here once more, because a task runs later than it was asked for.

The files are `ProjectGenerator`'s, the commit `git_store`'s, the archive `archives`'.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.projects.errors import InvalidPath
from backend.apps.projects.models import Archive, GeneratedProject, Project, ProjectFile
from backend.apps.projects.selectors import get_project, newest_generation
from backend.apps.projects.services.archives import ArchiveFile, write_archive
from backend.apps.projects.services.content import digest_of_file
from backend.apps.projects.services.file_types import file_type
from backend.apps.projects.services.git_store import Commit, GitStore
from backend.apps.projects.services.project_generator import ProjectGenerator
from backend.apps.projects.services.workspace import Workspace
from backend.apps.workflows.execution.interruption import Interrupted
from backend.errors import Conflict, NotFound, RepomillError
from backend.failpoints import Failpoint, reached

BATCH = 1000
SHORT_COMMIT = 12
INTERRUPTED = "The work was interrupted before it was done."

_Status = GeneratedProject.Status


def open_generation(*, project: Project, user: User, execution_id: UUID | None) -> GeneratedProject:
    """Return the execution's generation of the project, made if need be, as one that is being generated.

    execution_id: None opens a new one each time. The commit that it follows is settled when it is made.
    Raises NotFound or PermissionRefused where the user may not write, Conflict for an archived generation.
    """
    get_project(user=user, project_id=project.pk, write=True)
    with transaction.atomic():
        generation = GeneratedProject.objects.filter(project=project, workflow_execution_id=execution_id).first()
        if generation is None or execution_id is None:
            generation = _new_generation(project=project, user=user, execution_id=execution_id)
        opened = (
            GeneratedProject.objects.filter(pk=generation.pk)
            .exclude(status=_Status.ARCHIVED)
            .update(status=_Status.GENERATING, error_message="", updated_at=timezone.now())
        )
    if not opened:
        raise Conflict("The generation has been archived; its files are gone.", hint="Start a new execution.")
    generation.refresh_from_db()
    return generation


def generate(
    *,
    project: Project,
    user: User,
    execution_id: UUID | None,
    structure: Mapping[str, Any] | None = None,
    files: Sequence[Mapping[str, Any]] | None = None,
    templates: Sequence[Mapping[str, Any]] | None = None,
    gitignore: Sequence[str] | None = None,
    readme: str | None = None,
) -> dict[str, Any]:
    """Generate files, commit everything the generation has by then, and record it; see `ProjectGenerator.generate`.

    Raises InvalidInput and its kin, after which the generation is failed; WorkspaceBusy while another step of the same
    execution writes.
    """
    generation = open_generation(project=project, user=user, execution_id=execution_id)
    generator = ProjectGenerator(str(project.pk), generation_id=str(generation.pk))
    store = GitStore.for_project(project.pk)
    try:
        # One writer from the first file to the record: what is recorded last is what was committed last.
        with generator.workspace.writing():
            _restore_missing(generation, workspace=generator.workspace, store=store)
            generator.generate(
                structure=structure, files=files, templates=templates, gitignore=gitignore, readme=readme
            )
            reached(Failpoint.WORKSPACE_WRITTEN)
            commit = store.commit(
                generator.workspace,
                message=f"Generate {project.slug}",
                parent=generation.parent_commit or None,
                when=generation.created_at,
            )
            reached(Failpoint.COMMITTED)
            _record(generation, commit)
    except RepomillError as error:
        if not error.retryable:
            _fail(generation, error.message)
        raise
    except (Interrupted, Exception):
        # Cancelled, past its time limit, or a fault: whatever it is, nobody generates it any more.
        _fail(generation, INTERRUPTED)
        raise
    return _as_result(generation)


def package(*, project: Project, user: User, execution_id: UUID | None, format: str) -> dict[str, Any]:
    """Package the execution's completed generation, or the project's newest, and record the archive.

    format: zip, tar or tar.gz. An archive that is there and whole is kept.
    Raises InvalidInput for another format, Conflict where no generation is completed.
    """
    get_project(user=user, project_id=project.pk, write=True)
    generation = completed_generation(project=project, execution_id=execution_id)
    recorded = Archive.objects.filter(generated_project=generation, format=format, commit=generation.commit).first()
    if recorded is None or not _is_whole(recorded):
        written = _write_archive(project=project, generation=generation, format=format)
        reached(Failpoint.PACKAGED)
        recorded, _ = Archive.objects.update_or_create(
            generated_project=generation,
            format=format,
            commit=generation.commit,
            defaults={"path": str(written.path), "size": written.size, "digest": written.digest},
        )
    return {
        "archive": str(recorded.pk),
        "format": recorded.format,
        "path": recorded.path,
        "size": recorded.size,
        "digest": recorded.digest,
        "commit": recorded.commit,
        "generation": str(generation.pk),
    }


def completed_generation(*, project: Project, execution_id: UUID | None) -> GeneratedProject:
    """Return the execution's generation, or without an execution the project's newest completed one.

    Raises Conflict where there is none, or it is not completed.
    """
    generation = newest_generation(project=project, execution_id=execution_id)
    if generation is None:
        raise Conflict("Nothing has been generated for this project yet.", hint="Generate its files first.")
    if generation.status != _Status.COMPLETED:
        raise Conflict(
            f"The generation is {generation.status}, and only a completed one can be packaged or exported.",
            hint="Wait until it is completed, or repeat the step that generates the files.",
            expected=_Status.COMPLETED.value,
        )
    return generation


def _new_generation(*, project: Project, user: User, execution_id: UUID | None) -> GeneratedProject:
    identifier = uuid4()
    before = newest_generation(project=project, execution_id=None)
    values = {
        "id": identifier,
        "created_by": user,
        "output_directory": str(Path(settings.GENERATED_PROJECTS_DIR) / str(identifier)),
        "parent_commit": before.commit if before else "",
    }
    if execution_id is None:
        return GeneratedProject.objects.create(project=project, **values)
    # Two tasks of one execution may come here at once: the unique constraint lets one make it.
    made, _ = GeneratedProject.objects.get_or_create(
        project=project, workflow_execution_id=execution_id, defaults=values
    )
    return made


def _restore_missing(generation: GeneratedProject, *, workspace: Workspace, store: GitStore) -> None:
    """Bring back what an earlier step generated and this machine does not have."""
    if not generation.commit:
        return
    there = {entry.path for entry in workspace.entries()}
    if {*generation.files.values_list("file_path", flat=True), *generation.empty_directories} <= there:
        return
    with store.tree(generation.commit, empty_directories=tuple(generation.empty_directories)) as tree:
        for entry in tree.entries():
            if entry.path in there:
                continue
            if entry.is_directory:
                workspace.make_directory(entry.path)
            else:
                with tree.open(entry.path) as stream:
                    workspace.write(entry.path, stream.read(), executable=entry.executable)


def _record(generation: GeneratedProject, commit: Commit) -> None:
    now = timezone.now()
    rows = [
        ProjectFile(
            # The same file of the same generation keeps its id, however often it is recorded.
            id=uuid5(generation.pk, file.path),
            generated_project=generation,
            file_path=file.path,
            file_name=file.path.rpartition("/")[2],
            file_type=file_type(file.path),
            file_size=file.size,
            executable=file.executable,
            content_hash=file.digest,
            content_preview=file.preview,
        )
        for file in commit.files
    ]
    with transaction.atomic():
        # Also where an attempt that this one has overtaken called it failed meanwhile: the files are this one's.
        mine = GeneratedProject.objects.filter(pk=generation.pk, status__in=[_Status.GENERATING, _Status.FAILED])
        recorded = mine.update(
            status=_Status.COMPLETED,
            error_message="",
            commit=commit.commit,
            content_digest=commit.content_digest,
            empty_directories=list(commit.content.empty_directories),
            total_files=len(rows),
            total_size=commit.size,
            completed_at=now,
            updated_at=now,
        )
        if not recorded:
            raise Conflict("The generation was changed by somebody else meanwhile.", hint="Repeat the step.")
        ProjectFile.objects.filter(generated_project=generation).delete()
        ProjectFile.objects.bulk_create(rows, batch_size=BATCH)
    generation.refresh_from_db()


def _fail(generation: GeneratedProject, message: str) -> None:
    GeneratedProject.objects.filter(pk=generation.pk, status=_Status.GENERATING).update(
        status=_Status.FAILED, error_message=message, updated_at=timezone.now()
    )


def _as_result(generation: GeneratedProject) -> dict[str, Any]:
    return {
        "generation": str(generation.pk),
        "commit": generation.commit,
        "content_digest": generation.content_digest,
        "total_files": generation.total_files,
        "total_size": generation.total_size,
        "output_directory": generation.output_directory,
    }


def _write_archive(*, project: Project, generation: GeneratedProject, format: str) -> ArchiveFile:
    """Package the workspace if it still is what was committed, else the commit itself."""
    name = f"{project.slug}-{generation.commit[:SHORT_COMMIT]}.{format}"
    target = Path(settings.ARCHIVES_DIR) / str(generation.pk) / name
    digest = generation.content_digest
    workspace = Workspace(Path(settings.GENERATED_PROJECTS_DIR) / str(generation.pk))
    try:
        return write_archive(workspace=workspace, target=target, format=format, content_digest=digest)
    except (Conflict, NotFound, InvalidPath):
        # The workspace is gone, or no longer what was committed. The store has it all.
        store = GitStore.for_project(project.pk)
        with store.tree(generation.commit, empty_directories=tuple(generation.empty_directories)) as tree:
            return write_archive(workspace=tree, target=target, format=format, content_digest=digest)


def _is_whole(archive: Archive) -> bool:
    path = Path(archive.path)
    return path.is_file() and path.stat().st_size == archive.size and digest_of_file(path) == archive.digest
