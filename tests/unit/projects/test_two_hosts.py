"""Two hosts that share a database and a storage, but no folder: what one has generated, others package and push."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages
from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.exports.services.retention import Removed, archive_generations, remove_archived_here
from backend.apps.projects.errors import ContentMissing, StorageUnavailable
from backend.apps.projects.models import Project, StoredPack
from backend.apps.projects.services import commit_sharing
from backend.apps.projects.services.deletion import delete_project, remove_files, remove_left_behind
from backend.apps.projects.services.generations import generate, package
from backend.apps.projects.services.git_process import run
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.history import compare
from backend.apps.projects.services.repository_exporter import RepositoryExporter
from backend.apps.projects.services.storage_care import Care, put_missing
from backend.apps.projects.services.workspace_files import workspace_of
from backend.apps.workflows.models import TaskExecution, WorkflowExecution
from backend.cli.checks.storage import check_storage
from backend.config.storage_url import storages_of
from backend.errors import ConfigurationError, RepomillError
from tests.integration.trees import tree_of

pytestmark = pytest.mark.django_db
On = Callable[[str], AbstractContextManager[None]]
TREE: dict[str, Any] = {
    "bin": {"run": {"content": "x", "executable": True}},
    "src": {"one.py": "1\n", "two.py": "2\n"},
    "empty": [],
}


@pytest.fixture
def on(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> On:
    """What is done below `on("a")` is done on the host `a`, which has folders of its own."""
    settings.STORAGES = settings.STORAGES | storages_of(f"file://{tmp_path}/shared")

    @contextmanager
    def host(name: str):
        settings.GENERATED_PROJECTS_DIR = tmp_path / name / "generated"
        settings.GIT_STORES_DIR = tmp_path / name / "stores"
        settings.ARCHIVES_DIR = tmp_path / name / "archives"
        settings.LOCAL_REPOSITORIES_DIR = tmp_path / "repositories"
        monkeypatch.setattr(socket, "gethostname", lambda: name)
        yield

    return host


@pytest.fixture
def make(demo: Project, owner: User) -> Callable[..., dict[str, Any]]:
    return lambda execution=None, **asked: generate(project=demo, user=owner, execution_id=execution, **asked)


def checked_out(folder: Path, into: Path) -> dict[str, Any]:
    into.mkdir()
    run(f"--work-tree={into}", "checkout", "-f", "main", git_dir=folder)
    return tree_of(into)


def test_one_generates_another_packages_a_third_pushes(on, make, demo, owner, tmp_path):
    with on("a"):
        made = make(structure=TREE)
        there = tree_of(Path(made["output_directory"]))
    with on("b"):
        packed = package(project=demo, user=owner, execution_id=None, format="zip")
    with on("c"):
        pushed = RepositoryExporter(str(demo.pk), generation_id=made["generation"]).export_to_git(repository_name="out")
        assert not (tmp_path / "c" / "generated").exists()
        # The storage has the archive for every host; there is nothing to package once more.
        assert package(project=demo, user=owner, execution_id=None, format="zip") == packed
    assert packed["commit"] == pushed["commit"] == made["commit"]
    there.pop("empty")
    assert checked_out(tmp_path / "repositories" / "out.git", tmp_path / "out") == there
    row = StoredPack.objects.get()
    assert (row.made_on, row.follows, row.depth, row.commit) == ("a", [], 0, made["commit"])
    assert storages["packs"].size(f"{demo.pk}/{row.digest}.pack") == row.size


def test_a_later_step_on_another_host_adds_to_what_the_first_has_made(on, make, new_execution, demo):
    execution = new_execution()
    with on("a"):
        make(execution, structure=TREE)
    with on("b"):
        second = make(execution, structure={"src": {"three.py": "3\n"}})
        assert sorted(tree_of(Path(second["output_directory"]))) == [
            *("bin", "bin/run", "empty", "src"),
            *("src/one.py", "src/three.py", "src/two.py"),
        ]
    with on("a"):
        # Its own workspace is what it was before the other one's step.
        third = make(execution, readme="# r\n")
        assert third["total_files"] == 5
        assert (Path(third["output_directory"]) / "src" / "three.py").read_text() == "3\n"
    with on("c"):
        assert GitStore.for_project(demo.pk).file(third["commit"], "src/three.py") == b"3\n"


def test_a_pack_holds_what_is_new_and_little_else(on, make):
    files = {f"f{number}.txt": random.Random(number).randbytes(1000).hex() for number in range(300)}
    with on("a"):
        make(structure=files)
    with on("b"):
        make(structure=files | {"f7.txt": "changed\n"})
    first, second = StoredPack.objects.order_by("depth")
    assert second.follows == [first.commit]
    assert second.size < first.size / 20
    with on("c"):
        assert [entry.path for entry in compare(project=first.project).changes()] == ["f7.txt"]


def test_a_host_that_has_what_another_made_needs_no_storage(on, make, demo, tmp_path):
    with on("a"):
        made = make(structure=TREE)
    with on("b"):
        GitStore.for_project(demo.pk).require({made["commit"]})
        (pack,) = (tmp_path / "shared" / "packs").rglob("*.pack")
        pack.unlink()
        GitStore.for_project(demo.pk).require({made["commit"]})


@pytest.mark.parametrize("damage", ["gone", "cut", "flipped", "another"])
def test_a_lost_or_damaged_object_is_an_error_that_names_who_has_it(on, make, demo, owner, tmp_path, damage):
    with on("a"):
        make(structure={"other.txt": "x"})
        other = next((tmp_path / "shared" / "packs").rglob("*.pack")).read_bytes()
        made = make(structure=TREE)
    row = StoredPack.objects.get(commit=made["commit"])
    path = tmp_path / "shared" / "packs" / str(demo.pk) / f"{row.digest}.pack"
    whole = path.read_bytes()
    path.write_bytes(
        {"gone": b"", "cut": whole[:-1], "flipped": whole[:40] + bytes([whole[40] ^ 1]) + whole[41:], "another": other}[
            damage
        ]
    )
    if damage == "gone":
        path.unlink()
    with on("b"):
        for _ in range(2):
            with pytest.raises(ContentMissing) as raised:
                package(project=demo, user=owner, execution_id=None, format="zip")
            assert "on a," in str(raised.value.hint)
            assert raised.value.place["digest"] == row.digest
        assert not list((tmp_path / "shared").rglob("*.zip"))
    path.write_bytes(whole)
    with on("b"):
        assert package(project=demo, user=owner, execution_id=None, format="zip")["commit"] == made["commit"]


def test_a_pack_that_leaves_something_out_is_not_taken_for_the_commit(on, make, demo, owner, monkeypatch):
    write = commit_sharing.write_pack

    def without_a_blob(store, *, commit, without, into):
        blob = run("rev-parse", f"{commit}:src/one.py", git_dir=store.path).output.decode().strip()
        return write(store, commit=commit, without=[*without, blob], into=into)

    with on("a"):
        monkeypatch.setattr(commit_sharing, "write_pack", without_a_blob)
        made = make(structure=TREE)
    with on("b"):
        with pytest.raises(ContentMissing, match="not all of it"):
            package(project=demo, user=owner, execution_id=None, format="zip")
        assert not commit_sharing.has_name(GitStore.for_project(demo.pk), made["commit"])


def test_a_chain_ends_and_the_next_pack_stands_alone(on, make, demo, monkeypatch):
    monkeypatch.setattr(commit_sharing, "LONGEST_CHAIN", 2)
    commits = []
    for number in range(6):
        with on("ab"[number % 2]):
            commits.append(make(structure={"n.txt": f"{number}\n"})["commit"])
    depths = {row.commit: row.depth for row in StoredPack.objects.all()}
    assert [depths[commit] for commit in commits] == [0, 1, 2, 0, 1, 2]
    with on("c"):
        store = GitStore.for_project(demo.pk)
        assert [entry.commit for entry in store.log(commits[-1])] == commits[::-1]
        assert store.file(commits[0], "n.txt") == b"0\n"


def test_what_was_made_before_there_was_a_storage_comes_with_the_next_generation(on, make, demo, settings):
    before = settings.STORAGES
    with on("a"):
        settings.STORAGES = {name: before[name] for name in before if name != "packs"}
        first = make(structure=TREE)
        assert not StoredPack.objects.exists()
        settings.STORAGES = before
        second = make(structure={"more.txt": "x"})
    with on("b"):
        store = GitStore.for_project(demo.pk)
        assert [entry.commit for entry in store.log(second["commit"])] == [second["commit"], first["commit"]]
        assert store.file(first["commit"], "src/one.py") == b"1\n"


def test_a_deleted_project_leaves_nothing_in_the_storage(on, make, demo, owner, tmp_path):
    with on("a"):
        made = make(structure=TREE)
        package(project=demo, user=owner, execution_id=None, format="zip")
        key = str(demo.pk)
        demo.delete()
        remove_files(project_id=key, generations=[made["generation"]])
    assert not StoredPack.objects.exists()
    assert not [path for path in (tmp_path / "shared").rglob("*") if path.is_file()]


def test_with_one_shared_folder_nothing_is_put_anywhere(make, demo, settings):
    assert "packs" not in settings.STORAGES
    make(structure=TREE)
    assert not StoredPack.objects.exists()
    assert not commit_sharing.bring(GitStore.for_project(demo.pk), project_id=demo.pk, commit="a" * 40)


@pytest.mark.parametrize("dies", ["before the row", "before the record"])
def test_what_a_host_that_died_has_put_there_is_used_or_put_again(on, make, new_execution, demo, monkeypatch, dies):
    from backend.apps.projects.services import generations

    class Cut(Exception):
        pass

    def cut(*_: Any, **__: Any):
        raise Cut

    execution = new_execution()
    with on("a"), monkeypatch.context() as patch:
        patch.setattr(*((commit_sharing, "reached") if dies == "before the row" else (generations, "record")), cut)
        with pytest.raises(Cut):
            make(execution, structure=TREE)
    with on("b"):
        made = make(execution, structure=TREE)
    row = StoredPack.objects.get()
    assert row.commit == made["commit"]
    with on("c"):
        assert GitStore.for_project(demo.pk).file(made["commit"], "src/two.py") == b"2\n"


def test_a_commit_nobody_has_is_still_nobodys(on, make, demo):
    with on("a"):
        make(structure=TREE)
    with on("b"):
        assert not GitStore.for_project(demo.pk).has("a" * 40)
        with pytest.raises(RepomillError, match="does not have the commit"):
            GitStore.for_project(demo.pk).require({"a" * 40})


def test_what_the_storage_has_lost_is_put_there_again_by_who_has_it(on, make, demo, tmp_path):
    with on("a"):
        commits = [make(structure={"n.txt": f"{number}\n" * 99})["commit"] for number in range(3)]
    rows = {row.commit: row for row in StoredPack.objects.all()}
    paths = [tmp_path / "shared" / "packs" / str(demo.pk) / f"{rows[commit].digest}.pack" for commit in commits]
    paths[0].unlink()
    paths[1].write_bytes(b"x" * rows[commits[1]].size)
    with on("b"):
        care = put_missing()
        assert (care.whole, care.put) == (1, 0)
        assert care.lost == [f"{commit} (made on a)" for commit in commits[:2]]
    with on("a"):
        assert put_missing() == Care(whole=1, put=2)
        assert put_missing() == Care(whole=3)
    with on("b"):
        store = GitStore.for_project(demo.pk)
        assert [entry.commit for entry in store.log(commits[2])] == commits[::-1]


def test_what_is_older_than_the_storage_is_put_there(on, make, demo, settings):
    before = settings.STORAGES
    with on("a"):
        settings.STORAGES = {name: before[name] for name in before if name != "packs"}
        commits = [make(structure={"n.txt": f"{number}\n"})["commit"] for number in range(2)]
        with pytest.raises(ConfigurationError, match="No storage"):
            put_missing()
        settings.STORAGES = before
        assert put_missing() == Care(put=2)
    with on("b"):
        assert GitStore.for_project(demo.pk).file(commits[1], "n.txt") == b"1\n"


def test_the_doctor_tries_the_storage(on, settings, tmp_path):
    assert check_storage().state.value == "ok"
    assert not [path for path in (tmp_path / "shared").rglob("*") if path.is_file()]
    settings.STORAGES = settings.STORAGES | storages_of("s3://k:hunter2@b?endpoint=http://127.0.0.1:9")
    found = check_storage()
    assert (found.state.value, "hunter2" in found.detail) == ("unavailable", False)
    del settings.STORAGES["packs"]
    assert check_storage().detail.startswith("none")


def test_a_storage_that_does_not_answer_is_a_passing_failure(on, make, settings, demo, owner):
    settings.STORAGES = settings.STORAGES | storages_of("s3://k:hunter2@b?endpoint=http://127.0.0.1:9")
    with on("a"):
        with pytest.raises(StorageUnavailable) as raised:
            make(structure=TREE)
        assert raised.value.retryable
        assert "hunter2" not in f"{raised.value.as_json()}"
        assert not StoredPack.objects.exists()


def test_a_deleted_project_leaves_nothing_on_any_host(on, make, demo, owner, monkeypatch):
    monkeypatch.setattr("backend.apps.workflows.execution.chains.publish_chain", lambda tasks: True)
    store = GitStore.for_project
    project_id = demo.pk
    with on("a"):
        made = make(structure=TREE)
    with on("b"):
        package(project=demo, user=owner, execution_id=None, format="tar")
        assert store(project_id).exists()
        assert remove_left_behind() == 0
    delete_project(user=owner, project_id=project_id)
    with on("b"):
        # Nobody has removed it yet; a folder alone, without a project, is left in peace.
        assert (remove_left_behind(), store(project_id).exists()) == (0, True)
    with on("a"):
        remove_files(project_id=str(project_id), generations=[made["generation"]])
        TaskExecution.objects.update(status="completed")
    with on("b"):
        assert (remove_left_behind(), store(project_id).exists()) == (1, False)
        assert remove_left_behind() == 0


def test_an_archived_generation_leaves_no_workspace_on_any_host(on, make, demo, owner, new_execution):
    execution = new_execution()
    workspaces = []
    for host in "ab":
        with on(host):
            made = make(execution=execution, structure={f"{host}.txt": "x"})
            workspaces.append(Path(made["output_directory"]))
    with on("b"):
        newest = make(structure=TREE)
        workspace_of(demo).write("own.txt", b"x")
    later = timezone.now() + timedelta(days=1)
    with on("a"):
        assert remove_archived_here() == 0
        assert archive_generations(older_than=later, now=later) == Removed(0)
        WorkflowExecution.objects.update(status="completed")
        assert archive_generations(older_than=later, now=later) == Removed(1)
        assert [path.exists() for path in workspaces] == [False, True]
        assert remove_archived_here() == 0
    with on("b"):
        assert remove_archived_here() == 1
        assert remove_archived_here() == 0
        assert not workspaces[1].exists()
        assert Path(newest["output_directory"]).exists()
        assert workspace_of(demo).exists()
    with on("c"):
        assert remove_archived_here() == 0
