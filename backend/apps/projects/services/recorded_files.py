"""The ProjectFile rows of a generation: read as one value, and written in bulk.

Rows are inserted by one prepared statement that the database driver repeats, without a query builder; a row whose file
has not changed is left as it is. What the files are is told by the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any
from uuid import uuid5

from django.db import connection
from django.utils import timezone

from backend.apps.projects.models import GeneratedProject, ProjectFile
from backend.apps.projects.services.content import Content, ContentFile
from backend.apps.projects.services.file_types import file_type

BATCH = 1000
# SQLite of old takes no more than 999 values in one statement.
NAMED_AT_ONCE = 500


def recorded_content(generation: GeneratedProject, *, previews: bool = False) -> Content | None:
    """Return the content of a generation as it was recorded; None where the rows are no longer what was recorded.

    previews: whether they are read too. Who records the files for another generation needs them.
    """
    columns = ["file_path", "executable", "file_size", "content_hash", *(["content_preview"] if previews else [])]
    rows = ProjectFile.objects.filter(generated_project=generation)
    files = [ContentFile(*row) for row in rows.order_by().values_list(*columns)]
    # Here and not in the database, whose order depends on its collation.
    files.sort(key=lambda file: file.path)
    content = Content(files=tuple(files), empty_directories=tuple(generation.empty_directories))
    return content if content.digest == generation.content_digest else None


def record_files(
    generation: GeneratedProject, files: Sequence[ContentFile], *, recorded: Content | None = None
) -> None:
    """Make the generation's rows say what these files are. Only what differs is written, and needs a preview.

    The same file of the same generation keeps its id, however often it is recorded.
    recorded: what the rows say, where that is known; by default they are read.
    """
    rows = ProjectFile.objects.filter(generated_project=generation)
    said: Iterable[tuple[str, str, bool]] = (
        rows.order_by().values_list("file_path", "content_hash", "executable")
        if recorded is None
        else ((file.path, file.digest, file.executable) for file in recorded.files)
    )
    known = {path: (digest, executable) for path, digest, executable in said}
    new = [file for file in files if known.get(file.path) != (file.digest, file.executable)]
    gone = iter((known.keys() - {file.path for file in files}) | (known.keys() & {file.path for file in new}))
    while paths := list(islice(gone, NAMED_AT_ONCE)):
        rows.filter(file_path__in=paths).delete()
    values = _values(generation, new)
    with connection.cursor() as cursor:
        while batch := list(islice(values, BATCH)):
            cursor.executemany(_statement(), batch)


def _values(generation: GeneratedProject, files: Sequence[ContentFile]) -> Iterator[tuple[Any, ...]]:
    identifier = ProjectFile._meta.pk
    belongs = _prepared("generated_project", generation.pk)
    now = _prepared("created_at", timezone.now())
    for file in files:
        yield (
            identifier.get_db_prep_save(uuid5(generation.pk, file.path), connection),
            belongs,
            file.path,
            file.path.rpartition("/")[2],
            file_type(file.path),
            file.size,
            file.executable,
            file.digest,
            file.preview,
            now,
        )


def _prepared(name: str, value: Any) -> Any:  # noqa: ANN401  (whatever the database stores)
    return ProjectFile._meta.get_field(name).get_db_prep_save(value, connection)  # type: ignore[union-attr]


def _statement() -> str:
    names = "id generated_project file_path file_name file_type file_size executable content_hash content_preview"
    fields = [ProjectFile._meta.get_field(name) for name in [*names.split(), "created_at"]]
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in fields)  # type: ignore[union-attr]
    places = ", ".join(["%s"] * len(fields))
    # Names of our own model, and places for values: nothing of a user's is in the text.
    return f"INSERT INTO {quote(ProjectFile._meta.db_table)} ({columns}) VALUES ({places})"  # noqa: S608
