"""A commit with files missing is the worst of all failures: it is made of what was asked for, not of a folder."""

from __future__ import annotations

import shutil
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest

from backend import failpoints
from backend.apps.authentication.models import User
from backend.apps.projects.errors import GitFailed
from backend.apps.projects.hosts.outcomes import meaning
from backend.apps.projects.models import GeneratedProject, Project
from backend.apps.projects.services import directory_io
from backend.apps.projects.services.generations import generate, package
from backend.apps.projects.services.git_process import run
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.git_words import says_disk_is_full
from backend.apps.projects.services.workspace import Workspace
from backend.errors import TemporaryFailure
from backend.failpoints import Failpoint

pytestmark = pytest.mark.django_db

STRUCTURE = {"src": {"main.py": "print()\n", "lib": {"a.py": "a\n"}}, "docs": [], "README.md": "# r\n"}


@pytest.fixture(autouse=True)
def folders(settings, tmp_path):
    settings.GENERATED_PROJECTS_DIR = tmp_path / "generated"
    settings.GIT_STORES_DIR = tmp_path / "stores"
    settings.ARCHIVES_DIR = tmp_path / "archives"


@pytest.fixture
def project():
    return Project.objects.create(name="Demo", slug="demo", owner=User.objects.create(username="owner"))


@pytest.fixture
def before_the_commit():
    """Have a function called once between the last file and the commit."""

    def install(action):
        def hook(point):
            if point is Failpoint.WORKSPACE_WRITTEN:
                failpoints.install(None)
                action()

        failpoints.install(hook)

    yield install
    failpoints.install(None)


def the_workspace(settings) -> Path:
    found: Path
    (found,) = (path for path in settings.GENERATED_PROJECTS_DIR.iterdir() if not path.name.startswith("."))
    return found


@pytest.mark.parametrize(
    "vanish",
    [
        lambda workspace: shutil.rmtree(workspace),
        lambda workspace: shutil.rmtree(workspace / "src"),
        lambda workspace: (workspace / "src" / "lib" / "a.py").unlink(),
        lambda workspace: (workspace / "docs").rmdir(),
        lambda workspace: (shutil.rmtree(workspace), workspace.mkdir()),  # type: ignore[func-returns-value]
        lambda workspace: (workspace / "src" / "main.py").write_text("something else\n"),
        lambda workspace: (workspace / "planted.py").write_text("import os\n"),
    ],
    ids=["all", "a directory", "a file", "an empty directory", "all but the root", "a content", "one too many"],
)
def test_what_becomes_of_the_workspace_before_the_commit_is_not_in_it(project, settings, before_the_commit, vanish):
    before_the_commit(lambda: vanish(the_workspace(settings)))
    made = generate(project=project, user=project.owner, execution_id=None, structure=STRUCTURE)
    with GitStore.for_project(project.pk).tree(made["commit"]) as tree:
        files = [entry.path for entry in tree.entries() if not entry.is_directory]
        assert {path: data for path, data, _ in tree.contents(files)} == {
            "README.md": b"# r\n",
            "src/lib/a.py": b"a\n",
            "src/main.py": b"print()\n",
        }
    archive = package(project=project, user=project.owner, execution_id=None, format="tar")
    with tarfile.open(archive["path"]) as tar:
        assert [entry.name for entry in tar if entry.isdir()] == ["docs", "src", "src/lib"]
        found = tar.extractfile("src/main.py")
        assert found is not None
        assert found.read() == b"print()\n"


def test_a_later_generation_does_not_need_its_workspace_either(project, settings, before_the_commit):
    """Its files come from what was asked for and from the store."""
    generate(project=project, user=project.owner, execution_id=None, structure=STRUCTURE)
    shutil.rmtree(the_workspace(settings))
    before_the_commit(lambda: shutil.rmtree(the_workspace(settings)))
    second = generate(project=project, user=project.owner, execution_id=None, structure={**STRUCTURE, "new.py": "n\n"})
    with GitStore.for_project(project.pk).tree(second["commit"]) as tree:
        assert len([entry for entry in tree.entries() if not entry.is_directory]) == 4
    assert GeneratedProject.objects.get(pk=second["generation"]).workspace_seal == ""


def test_a_workspace_that_vanishes_while_it_is_written_is_written_again(project, settings, monkeypatch):
    generate(project=project, user=project.owner, execution_id=None, structure=STRUCTURE)
    rearrange = Workspace.rearrange

    def vanish_first(self, **changes):
        monkeypatch.setattr(Workspace, "rearrange", rearrange)
        rearrange(self, **changes)
        shutil.rmtree(self.root)
        list(self.entries())

    monkeypatch.setattr(Workspace, "rearrange", vanish_first)
    with pytest.raises(TemporaryFailure):
        generate(project=project, user=project.owner, execution_id=None, structure={"a.py": "a\n"})
    assert generate(project=project, user=project.owner, execution_id=None, structure={"a.py": "a\n"})["commit"]


@pytest.mark.parametrize(
    "words",
    [
        "fatal: sha1 file 'objects/pack/tmp_pack_x' write error. Out of diskspace",
        "fatal: cannot update ref 'refs/generations/a': couldn't write '/stores/x.git/refs/generations/a.lock'",
        "error: unable to write symref for HEAD: No space left on device",
        "fatal: write error: Disk quota exceeded",
    ],
)
def test_a_full_disk_under_git_passes(words):
    assert says_disk_is_full(words)
    assert GitFailed(words=words, disk_full=True).retryable
    meant = meaning(GitFailed(words=f"remote: {words}", output=b"!\ta:b\t[remote rejected] (unpacker error)"), host="h")
    assert type(meant) is TemporaryFailure
    assert meant.retryable


def test_other_failures_of_git_do_not_pass(tmp_path):
    with pytest.raises(GitFailed) as raised:
        run("rev-parse", "--verify", "HEAD", git_dir=tmp_path / "none.git")
    assert not raised.value.retryable


@pytest.mark.parametrize("opening", [1, 2, 3])
def test_a_workspace_that_goes_at_any_moment_is_made_again(project, monkeypatch, opening):
    real, opened = directory_io._open_directory, []

    def gone(name, parent, path):
        if parent is None:
            opened.append(name)
            if len(opened) == opening:
                shutil.rmtree(name)
        return real(name, parent, path)

    def once():
        return generate(project=project, user=project.owner, execution_id=None, structure=STRUCTURE)

    monkeypatch.setattr(directory_io, "_open_directory", gone)
    with suppress(TemporaryFailure):
        once()
    assert len(opened) >= opening
    assert once()["total_files"] == 3
