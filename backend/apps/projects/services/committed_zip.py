"""A zip of what was committed, put together from the store's own packs without inflating what lies there.

Each pack that is needed is compared with its checksum as a whole: git has checked its objects when it was made, and has
written the index, which is compared with its own. So all is checked from a commit's id to each file's bytes, as it is
where `archives` inflates and hashes each file of a tree. Both make the same bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO

from backend.apps.projects.services.archive_publishing import Publisher
from backend.apps.projects.services.archives import BUFFER, ArchiveFile, published_archive
from backend.apps.projects.services.git_objects import CommittedTree
from backend.apps.projects.services.pack_reader import PackedObjects
from backend.apps.projects.services.zip_writer import ZipWriter


def write_committed_zip(
    *, source: PackedObjects, tree: CommittedTree, target: Path, publisher: Publisher | None = None
) -> ArchiveFile:
    """Package a commit's tree, which `source` holds, into the file `target`, replacing what is there.

    publisher: see `write_archive`.
    Raises NotFound where the packs are damaged, or have to be read in another way. Nothing is left behind then.
    """
    listing = list(tree.listing())
    source.require_whole(file[0] for _, file in listing if file is not None)

    def write(output: IO[bytes]) -> None:
        archive = ZipWriter(output)
        for path, file in listing:
            if file is None:
                archive.add_directory(path)
            else:
                _add(archive, path, *file, source=source)
        archive.finish()

    return published_archive(target, format="zip", write=write, publisher=publisher)


def _add(archive: ZipWriter, path: str, binsha: bytes, executable: bool, *, source: PackedObjects) -> None:
    found = source.deflated(binsha)
    if found is not None:
        archive.add_deflated(path, found.deflated, crc=found.crc, size=found.size, executable=executable)
        return
    with source.open(binsha) as stream:
        # In the parts that `archives` takes: they make a difference to the bytes.
        archive.add_file(path, iter(lambda: stream.read(BUFFER), b""), size=source.size(binsha), executable=executable)
