"""The history of a project: one bare repository, outside every workspace, and the making of commits in it.

A commit is written into a pack, from bytes that are at hand: there is no index and no work tree, so no attribute,
filter or ignore rule of the content can act, and every file is in the commit. Git checks the pack; then the tree is
read back and compared, because a commit with files missing would be the worst of failures. The same content, parent and
time give the same commit.

A commit that only another host's store has is fetched when it is asked for, where hosts exchange commits
(`commit_sharing`). It pushes nothing (`hosts` does) and records nothing in the database (`generations` does).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp
from uuid import UUID, uuid4

from django.conf import settings

from backend.apps.projects.errors import GitFailed
from backend.apps.projects.services.changes import Changes
from backend.apps.projects.services.commit_sharing import bring, give_name, has_name
from backend.apps.projects.services.commit_writing import CommitWriter
from backend.apps.projects.services.content import Content, ContentFile
from backend.apps.projects.services.git_objects import COMMIT, CommittedTree, Objects, reading
from backend.apps.projects.services.git_process import run
from backend.apps.projects.services.git_words import clean
from backend.apps.projects.services.pack_format import EMPTY_TREE
from backend.apps.projects.services.pack_reader import packed
from backend.apps.projects.services.pack_storage import packs_storage
from backend.errors import Conflict, InvalidInput, NotFound

LONGEST_MESSAGE = 4096
IMPORT_SECONDS = 900.0
LEFTOVER_SECONDS = 3600.0
"""No git that works in a store takes as long."""

# A generation counts as soon as its commit is recorded: then it must survive a power cut.
_OPTIONS = ("core.fsync=committed,reference",)


@dataclass(frozen=True)
class Commit:
    """A commit that was made, or found to say the same already, and the content that it has."""

    commit: str
    tree: str
    content: Content

    @property
    def files(self) -> tuple[ContentFile, ...]:
        """The files, sorted by path."""
        return self.content.files

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return self.content.size

    @property
    def content_digest(self) -> str:
        """The SHA-256 of paths, modes and contents; see `Content.digest`."""
        return self.content.digest


@dataclass(frozen=True)
class LogEntry:
    """One commit of a history."""

    commit: str
    parent: str | None
    tree: str
    when: datetime
    message: str


def is_bare(path: Path) -> bool:
    """Return whether there is a bare repository."""
    return (path / "HEAD").is_file()


def create_bare(path: Path, *, branch: str, mode: int) -> bool:
    """Make a bare and empty repository and return whether it was missing. Several may do so at once: one makes it."""
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700 | mode)
    # Made aside and put in place whole: nobody meets a half-made one.
    aside = Path(mkdtemp(prefix=".new-", dir=path.parent))
    try:
        run("init", "--bare", "--quiet", "--template=", f"--initial-branch={branch}", "--", str(aside))
        aside.chmod(mode)
        try:
            aside.rename(path)
        except OSError:
            if not is_bare(path):
                raise
            return False
        return True
    finally:
        shutil.rmtree(aside, ignore_errors=True)


class GitStore:
    """A bare repository that nobody but Repomill writes to."""

    def __init__(self, path: Path, *, project_id: UUID | None = None) -> None:
        self.path = path
        self.project_id = project_id

    @classmethod
    def for_project(cls, project_id: UUID | str) -> GitStore:
        """Return the store of a project, which need not be there yet. Raises InvalidInput for what is no UUID."""
        try:
            name = UUID(str(project_id))
        except ValueError as error:
            raise InvalidInput(f"{str(project_id)[:100]!r} is no project id.", field="project_id") from error
        return cls(Path(settings.GIT_STORES_DIR) / f"{name}.git", project_id=name)

    def exists(self) -> bool:
        """Return whether the store is there."""
        return is_bare(self.path)

    def create(self) -> bool:
        """Make the store and return whether it was missing. Several may do so at once: one makes it."""
        return create_bare(self.path, branch="main", mode=0o700)

    def remove(self) -> None:
        """Remove the store with the history in it; nothing happens when it is gone."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self.path)

    def bring(self, *commits: str) -> None:
        """See that the store has commits that another host has made; those that nobody has are left to the caller.

        Every method here does so by itself; it is for who reads the folder directly.
        Raises ContentMissing where one of them is lost, StorageUnavailable.
        """
        if self.project_id is None or packs_storage() is None:
            return
        for commit in commits:
            if COMMIT.fullmatch(commit) and not has_name(self, commit):
                bring(self, project_id=self.project_id, commit=commit)

    def commit(self, changes: Changes, *, base: str | None, message: str, parent: str | None, when: datetime) -> Commit:
        """Commit what another commit's files become with changes; return the commit, the parent when it has that tree.

        Nothing is read from a workspace: what did not change is taken from the store itself, by its directories' ids.
        base: that other commit; None to begin with no file. when: the commit's time, to the second.
        Raises NotFound where the store does not have the base, Conflict where its files are not those that the changes
        begin with, or where it does not have the parent, GitFailed.
        """
        if base is None:
            self.create()
            self.require({parent} if parent is not None else ())
        self.sweep()
        with self.reading() as objects:
            root = objects.commit(base).tree.binsha if base is not None else EMPTY_TREE
            writer = self._writer(objects, message=message, parent=parent, when=when)
            made, changed = writer.write(changes, root=root, read=objects.contents)
            # Git has checked each id when it took the pack; here it says that the commit is the one that was meant.
            if objects.commit(made.commit).tree.hexsha != made.tree:
                raise GitFailed("The commit does not have the tree that was made for it; it is not used.")
            if not changed.holds(changes.content.files):
                raise Conflict(
                    "The project's git store does not hold the files that were recorded.",
                    hint="Restore the folder git-stores and the database from backups of one time.",
                )
        give_name(self, made.commit)
        return Commit(commit=made.commit, tree=made.tree, content=changes.content)

    def log(self, commit: str, *, limit: int = 100) -> list[LogEntry]:
        """Return a commit and what came before it, newest first. Raises NotFound."""
        self.bring(commit)
        with self.reading() as objects:
            return [entry for entry, _ in zip(_history(objects, commit), range(limit), strict=False)]

    def file(self, commit: str, path: str) -> bytes:
        """Return the content of one file of a commit. Raises NotFound."""
        with self.tree(commit) as tree, tree.open(path) as stream:
            return stream.read()

    def has(self, commit: str) -> bool:
        """Return whether the store has this commit; False for what is no commit id."""
        if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
            return False
        self.bring(commit)
        if not self.exists():
            return False
        with self.reading() as objects:
            return objects.has(commit)

    def require_commit(self, commit: str) -> None:
        """Raise InvalidInput unless the store has this commit."""
        if not self.has(commit):
            raise InvalidInput(f"The project's git store has no commit {str(commit)[:64]!r}.", field="commit")

    def require(self, commits: Collection[str]) -> None:
        """Raise Conflict unless the store has all of these commits."""
        if not commits:
            return
        self.bring(*commits)
        lost = set(commits)
        if self.exists():
            with self.reading() as objects:
                lost = {commit for commit in lost if not COMMIT.fullmatch(commit) or not objects.has(commit)}
        for commit in sorted(lost):
            raise Conflict(
                f"The project's git store does not have the commit {clean(commit)[:64]!r}, which this one follows.",
                hint="Restore the folder git-stores from a backup.",
            )

    def is_ancestor(self, ancestor: str, *, of: str) -> bool:
        """Return whether one commit is the other, or came before it."""
        self.bring(of)
        with self.reading() as objects:
            return any(entry.commit == ancestor for entry in _history(objects, of))

    @contextmanager
    def tree(self, commit: str, *, empty_directories: tuple[str, ...] = ()) -> Iterator[CommittedTree]:
        """Open the tree of a commit for reading, one file at a time. Raises NotFound."""
        self.bring(commit)
        with ExitStack() as stack:
            try:
                found = stack.enter_context(self.packed_tree(commit, empty_directories=empty_directories))
            except NotFound:
                objects = stack.enter_context(self.reading())
                found = CommittedTree(objects, commit=commit, empty_directories=empty_directories)
            yield found

    @contextmanager
    def packed_tree(self, commit: str, *, empty_directories: tuple[str, ...] = ()) -> Iterator[CommittedTree]:
        """Open the tree of a commit that lies in packs of our own, without git.

        Raises NotFound for another: git has packed it anew, or it is another host's.
        """
        with packed(self.path) as source:
            yield CommittedTree(source, commit=commit, empty_directories=empty_directories)

    @contextmanager
    def reading(self) -> Iterator[Objects]:
        """Open the store for reading. Raises NotFound when it is not there."""
        if not self.exists():
            raise NotFound("The project has no history yet.", hint="Generate something first.")
        with reading(self.path) as objects:
            yield objects

    def sweep(self) -> None:
        """Remove what a git that was killed has left behind, once it is old enough to be nobody's."""
        # Crash reports and .keep are what git fast-import leaves, which older versions used; .tmp is a repack's.
        for pattern in ("fast_import_crash_*", "objects/pack/tmp_*", "objects/pack/.tmp-*", "objects/pack/*.keep"):
            for left in self.path.glob(pattern):
                with suppress(FileNotFoundError):
                    if time.time() - left.stat().st_mtime > LEFTOVER_SECONDS:
                        left.unlink()

    def _writer(self, objects: Objects, *, message: str, parent: str | None, when: datetime) -> CommitWriter:
        return CommitWriter(
            git_dir=self.path,
            options=_OPTIONS,
            timeout=IMPORT_SECONDS,
            message=_message(message),
            when=when,
            label=str(uuid4()),
            parent=parent,
            parent_tree=objects.commit(parent).tree.hexsha if parent is not None else None,
        )


def _history(objects: Objects, commit: str) -> Iterator[LogEntry]:
    following: str | None = commit
    while following:
        found = objects.commit(following)
        parent = found.parents[0].hexsha if found.parents else None
        yield LogEntry(
            commit=found.hexsha,
            parent=parent,
            tree=found.tree.hexsha,
            when=datetime.fromtimestamp(found.committed_date, UTC),
            message=str(found.message).rstrip("\n"),
        )
        following = parent


def _message(message: str) -> str:
    kept = clean(message, limit=LONGEST_MESSAGE)
    if not kept:
        raise InvalidInput("A commit needs a message.", field="message")
    return kept + "\n"
