"""Packaging a completed generation, and recording the archive.

The archive holds what was committed, whatever became of the workspace, and is made once: one that is there and whole is
kept. How an archive is written is `archives`', where it is kept `archive_storage`'s.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from backend.apps.authentication.models import User
from backend.apps.projects.errors import InvalidPath, OrganisationFull
from backend.apps.projects.models import Archive, GeneratedProject, Project
from backend.apps.projects.selectors import get_project, newest_generation
from backend.apps.projects.services import archive_storage
from backend.apps.projects.services.archive_publishing import Publisher
from backend.apps.projects.services.archives import ArchiveFile, write_archive
from backend.apps.projects.services.committed_zip import write_committed_zip
from backend.apps.projects.services.content import Tree
from backend.apps.projects.services.git_objects import CommittedTree
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.organisation_limits import require_storage_for_archive
from backend.apps.projects.services.pack_reader import packed
from backend.apps.projects.services.workspace import Workspace
from backend.errors import Conflict, NotFound
from backend.failpoints import Failpoint, reached

SHORT_COMMIT = 12

_Status = GeneratedProject.Status


def package(
    *, project: Project, user: User, execution_id: UUID | None, generation_id: str | None = None, format: str
) -> dict[str, Any]:
    """Package the execution's completed generation, or the project's newest, and record the archive.

    generation_id: of the one to package instead. format: zip, tar or tar.gz. An archive that is there and whole is
    kept. The result's `path` is where it really lies.
    Raises InvalidInput for another format, Conflict where no generation is completed, OrganisationFull.
    """
    get_project(user=user, project_id=project.pk, write=True)
    generation = completed_generation(project=project, execution_id=execution_id, generation_id=generation_id)
    recorded = Archive.objects.filter(generated_project=generation, format=format, commit=generation.commit).first()
    if recorded is None or not archive_storage.is_whole(recorded):
        key, written = write(project=project, generation=generation, format=format)
        reached(Failpoint.PACKAGED)
        try:
            with transaction.atomic():
                before = recorded.size if recorded else 0
                require_storage_for_archive(project=project, more=written.size - before)
                recorded, _ = Archive.objects.update_or_create(
                    generated_project=generation,
                    format=format,
                    commit=generation.commit,
                    defaults={"path": key, "size": written.size, "digest": written.digest},
                )
        except OrganisationFull:
            # Somebody else may have packaged it meanwhile: then the file is what that one has recorded.
            recorded = Archive.objects.filter(
                generated_project=generation, format=format, commit=generation.commit, digest=written.digest
            ).first()
            if recorded is None:
                archive_storage.archives_storage().delete(key)
                raise
    return as_result(recorded)


def write(
    *, project: Project, generation: GeneratedProject, format: str, publisher: Publisher | None = None
) -> tuple[str, ArchiveFile]:
    """Write the archive of a completed generation into the storage; return its key there, and what was written.

    publisher: who publishes it while others are written. Recording it is the caller's, once that is done.
    Raises as `write_archive` and `archive_storage.publish` do.
    """
    key = f"{generation.pk}/{project.slug}-{generation.commit[:SHORT_COMMIT]}.{format}"

    def write_to(target: Path, publisher: Publisher | None) -> ArchiveFile:
        return _write(target, project=project, generation=generation, format=format, publisher=publisher)

    return key, archive_storage.publish(key, write=write_to, publisher=publisher)


def as_result(archive: Archive) -> dict[str, Any]:
    """Return a recorded archive as a task's result; its `path` is where it really lies."""
    return {
        "archive": str(archive.pk),
        "format": archive.format,
        "path": archive_storage.real_path(archive.path),
        "size": archive.size,
        "digest": archive.digest,
        "commit": archive.commit,
        "generation": str(archive.generated_project_id),
    }


def completed_generation(
    *, project: Project, execution_id: UUID | None, generation_id: str | None = None
) -> GeneratedProject:
    """Return the execution's generation, or without an execution the project's newest completed one.

    generation_id: of the one that is wanted instead of either.
    Raises Conflict where there is none, or it is not completed; NotFound for one that the project does not have.
    """
    if generation_id is None:
        generation = newest_generation(project=project, execution_id=execution_id)
    else:
        generation = _named(project, generation_id)
    if generation is None:
        raise Conflict("Nothing has been generated for this project yet.", hint="Generate its files first.")
    if generation.status != _Status.COMPLETED:
        raise Conflict(
            f"The generation is {generation.status}, and only a completed one can be packaged or exported.",
            hint="Wait until it is completed, or repeat the step that generates the files.",
            expected=_Status.COMPLETED.value,
        )
    return generation


def _named(project: Project, generation_id: str) -> GeneratedProject:
    try:
        found = GeneratedProject.objects.filter(project=project, pk=UUID(generation_id)).first()
    except (ValueError, TypeError, AttributeError):
        found = None
    if found is None:
        raise NotFound(f"The project has no generation {str(generation_id)[:60]!r}.", field="generation")
    return found


def _write(
    target: Path, *, project: Project, generation: GeneratedProject, format: str, publisher: Publisher | None
) -> ArchiveFile:
    """Package what was committed, from where it costs least.

    A zip takes over from the store what lies there compressed already; the others read the workspace, as long as it
    holds just what was committed. Where neither will do, git is asked.
    """
    store, digest = GitStore.for_project(project.pk), generation.content_digest
    empty = tuple(generation.empty_directories)

    def write_from(tree: Tree) -> ArchiveFile:
        return write_archive(workspace=tree, target=target, format=format, content_digest=digest, publisher=publisher)

    if format == Archive.Format.ZIP:
        with suppress(Conflict, NotFound), packed(store.path) as source:
            tree = CommittedTree(source, commit=generation.commit, empty_directories=empty)
            with suppress(NotFound):
                return write_committed_zip(source=source, tree=tree, target=target, publisher=publisher)
            return write_from(tree)
    with suppress(Conflict, NotFound, InvalidPath):
        return write_from(Workspace(Path(settings.GENERATED_PROJECTS_DIR) / str(generation.pk)))
    with store.tree(generation.commit, empty_directories=empty) as tree:
        return write_from(tree)
