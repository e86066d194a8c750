"""Projects by the thousand, made for measurements: rows by bulk inserts, workspaces by the plain loop.

They have a completed generation each, and no history in git: packaging reads the workspace and never asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import islice
from pathlib import Path
from uuid import uuid4

from django.conf import settings
from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.exports.models import RepositoryExport
from backend.apps.projects.models import Archive, GeneratedProject, Project
from backend.apps.projects.services.content import Content, content_file
from benchmarks.trees import plain_loop, real_tree

BATCH = 1000
LONGEST = 1500
"""Characters of a file: projects that are generated are of small files."""


def add_projects(count: int, *, files: int, owner: User, written: bool = True) -> list[Project]:
    """Make that many projects, each with a completed generation of so many files.

    written: whether the files are there too. Without them the rows are for planning alone.
    """
    before = Project.objects.count()
    made: list[Project] = []
    while len(made) < count:
        numbers = range(before + len(made), before + min(len(made) + BATCH, count))
        batch = [Project(name=f"p{number}", slug=f"p{number}", owner=owner) for number in numbers]
        made += Project.objects.bulk_create(batch)
        _generate(batch, files=files, owner=owner, written=written)
    return made


def change(projects: Sequence[Project], *, files: int, owner: User) -> None:
    """Give each of the projects a newer generation with other content."""
    _generate(projects, files=files, owner=owner, written=True)


def forget_archives() -> None:
    """Put every archive aside, so that the next export packages anew. They are not deleted: see `measure.in_turn`."""
    folder = Path(settings.ARCHIVES_DIR)
    if folder.exists():
        folder.rename(folder.with_name(f"{folder.name}-{uuid4()}"))
    Archive.objects.all().delete()
    RepositoryExport.objects.update(archive_path="")


def workspace_of(generation: GeneratedProject) -> Path:
    """Return where the files of a generation lie."""
    return Path(settings.GENERATED_PROJECTS_DIR) / str(generation.pk)


def _generate(projects: Sequence[Project], *, files: int, owner: User, written: bool) -> None:
    texts = [text[:LONGEST] for text in real_tree(500).values() if text]
    generations = []
    now = timezone.now()
    for number, project in enumerate(projects):
        identifier = uuid4()
        tree = _tree(identifier.hex, files, texts, number) if written else {}
        content = Content(
            tuple(content_file(path, text.encode(), executable=False) for path, text in tree.items()),
            empty_directories=(),
        )
        generation = GeneratedProject(
            id=identifier,
            project=project,
            created_by=owner,
            status=GeneratedProject.Status.COMPLETED,
            commit=uuid4().hex + "0" * 8,
            content_digest=content.digest if written else uuid4().hex * 2,
            output_directory=str(Path(settings.GENERATED_PROJECTS_DIR) / str(identifier)),
            total_files=len(tree),
            total_size=content.size,
            completed_at=now + timedelta(milliseconds=number),
        )
        if written:
            plain_loop(tree, workspace_of(generation))
        generations.append(generation)
    GeneratedProject.objects.bulk_create(generations)


def _tree(salt: str, files: int, texts: Sequence[str], first: int) -> dict[str, str]:
    """Return files in directories of ten, none of which another project has."""
    chosen = islice((texts[(first * files + number) % len(texts)] for number in range(files)), files)
    return {f"src/part{i // 10}/file{i}.py": f"# {salt} {i}\n{text}" for i, text in enumerate(chosen)}
