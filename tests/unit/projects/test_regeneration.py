"""Generations that begin with what is there already: each commit follows the one before, and only ours gets in."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from backend.apps.authentication.models import User
from backend.apps.exports.models import RepositoryExport
from backend.apps.exports.services.deliver import deliver_to_git
from backend.apps.projects.errors import InvalidPath
from backend.apps.projects.models import GeneratedProject, Project, ProjectFile
from backend.apps.projects.services import generations
from backend.apps.projects.services.generation_records import open_generation
from backend.apps.projects.services.generations import generate, package
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.workspace import Workspace
from backend.errors import Conflict, InvalidInput, NotFound
from tests.integration.trees import archive_tree, tree_of

pytestmark = pytest.mark.django_db
Status = GeneratedProject.Status
STRUCTURE: dict[str, Any] = {
    "bin": {"run": {"content": "x", "executable": True}},
    "src": {"one.py": "1\n", "two.py": "2\n"},
    "logo.png": {"content": "iVBORwA=", "encoding": "base64"},
    "empty": [],
}


def parents(project: Project, commit: str) -> list[str]:
    return [entry.commit for entry in GitStore.for_project(project.pk).log(commit)]


def folder(result: dict[str, Any]) -> Path:
    return Path(result["output_directory"])


def committed(project: Project, commit: str) -> dict[str, bytes]:
    with GitStore.for_project(project.pk).tree(commit) as tree:
        paths = [entry.path for entry in tree.entries() if not entry.is_directory]
        return {path: data for path, data, _ in tree.contents(paths)}


def deliver(demo: Project, owner: User, made: dict[str, Any], *, to: str = "git", status: str = "completed") -> None:
    RepositoryExport.objects.create(
        key=str(uuid4()), generated_project_id=made["generation"], export_type=to, status=status, created_by=owner
    )


def test_the_steps_of_an_execution_make_one_commit(demo, make, owner, new_execution):
    before = make(None, readme="# before")
    execution = new_execution()
    first = make(execution, structure=STRUCTURE)
    deliver(demo, owner, first, to="zip")
    second = make(execution, readme="# later")
    assert parents(demo, second["commit"]) == [second["commit"], before["commit"]]
    # So that the same content once more is no change at all.
    again = new_execution()
    make(again, structure=STRUCTURE)
    assert make(again, readme="# later")["commit"] == second["commit"]


@pytest.mark.parametrize("status", ["exporting", "completed", "failed"])
def test_a_later_step_follows_what_was_delivered_before(demo, make, owner, new_execution, status):
    execution = new_execution()
    first = make(execution, structure=STRUCTURE)
    deliver(demo, owner, first, status=status)
    assert make(execution, structure=STRUCTURE)["commit"] == first["commit"]
    second = make(execution, readme="# later")
    assert parents(demo, second["commit"]) == [second["commit"], first["commit"]]
    assert make(execution, readme="# later")["commit"] == second["commit"]
    third = make(new_execution(), readme="# other")
    assert parents(demo, third["commit"])[1:] == [second["commit"], first["commit"]]
    # What it changed is told against what was there before the whole generation.
    assert GeneratedProject.objects.get(pk=second["generation"]).parent_commit == ""


def test_a_push_after_a_push_of_one_execution_goes_forward(demo, make, owner, new_execution, settings, tmp_path):
    settings.LOCAL_REPOSITORIES_DIR = tmp_path / "repositories"
    execution = new_execution()
    made = {}
    for key, readme in (("one", "# 1"), ("two", "# 2")):
        made[key] = make(execution, readme=readme)
        delivered = deliver_to_git(
            key=key, project=demo, user=owner, execution_id=execution, repository_name="r", url=None
        )
        assert delivered["pushed"]
    assert parents(demo, made["two"]["commit"]) == [made["two"]["commit"], made["one"]["commit"]]


def test_a_step_that_is_repeated_gives_its_commit_again_whatever_came_between(demo, make, new_execution):
    execution = new_execution()
    first = make(execution, structure=STRUCTURE)
    assert make(execution, structure=STRUCTURE)["commit"] == first["commit"]
    second = make(execution, readme="# later")
    assert make(execution, structure=STRUCTURE)["commit"] == second["commit"]
    assert make(execution, readme="# later")["commit"] == second["commit"]


def test_a_crash_between_commit_and_record_of_a_later_step_gives_the_same_commit(
    demo, make, new_execution, monkeypatch
):
    execution = new_execution()
    make(execution, structure=STRUCTURE)
    made = []

    def die(generation, commit, **how):
        made.append(commit.commit)
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(generations, "record", die)
        with pytest.raises(KeyboardInterrupt):
            make(execution, readme="# later")
    assert [make(execution, readme="# later")["commit"]] == made


def test_the_same_content_has_the_same_digest_and_rows_however_it_came_about(demo, make, new_execution):
    at_once = make(None, structure={**STRUCTURE, "README.md": "# x"})
    execution = new_execution()
    make(execution, structure=STRUCTURE)
    in_steps = make(execution, readme="# x")
    based = make(None, based_on=at_once["generation"])
    columns = ("file_path", "file_type", "file_size", "executable", "content_hash", "content_preview")
    rows = [
        list(ProjectFile.objects.filter(generated_project=result["generation"]).values_list(*columns))
        for result in (at_once, in_steps, based)
    ]
    assert rows[0] == rows[1] == rows[2]
    assert at_once["content_digest"] == in_steps["content_digest"] == based["content_digest"]
    assert tree_of(folder(at_once)) == tree_of(folder(in_steps)) == tree_of(folder(based))
    assert os.access(folder(based) / "bin" / "run", os.X_OK)


def test_rows_of_files_that_did_not_change_are_left_alone(demo, make, new_execution, django_assert_max_num_queries):
    execution = new_execution()
    files = [{"path": f"d/f{number}.txt", "content": str(number)} for number in range(3000)]
    with django_assert_max_num_queries(30):
        first = make(execution, files=files)
    before = dict(ProjectFile.objects.values_list("file_path", "created_at"))
    files[7]["content"] = "changed"
    with django_assert_max_num_queries(30):
        make(execution, files=files)
    after = dict(ProjectFile.objects.values_list("file_path", "created_at"))
    assert {path for path in after if after[path] != before[path]} == {"d/f7.txt"}
    assert (folder(first) / "d" / "f7.txt").read_text() == "changed"


def test_only_what_changed_is_written(make, new_execution):
    execution = new_execution()
    first = make(execution, structure=STRUCTURE)
    _age(folder(first))
    GeneratedProject.objects.update(workspace_seal=_seal_of_now(folder(first)))
    inodes = {path: path.stat().st_ino for path in folder(first).rglob("*") if path.is_file()}
    make(execution, structure={**STRUCTURE, "src": {"one.py": "other\n", "two.py": "2\n"}})
    changed = {path.name for path, inode in inodes.items() if path.stat().st_ino != inode}
    assert changed == {"one.py"}


def _age(below: Path) -> None:
    """Wait until the file system's clock has moved on from the last change."""
    newest = max(path.stat().st_ctime_ns for path in below.rglob("*"))
    while True:
        os.utime(below)
        if below.stat().st_ctime_ns > newest:
            return


def _seal_of_now(root: Path) -> str:
    workspace = Workspace(root)
    with workspace.writing():
        return workspace.seal()


def tampered(root: Path, damage: str) -> None:
    two = root / "src" / "two.py"
    match damage:
        case "same size":
            two.write_text("X\n")
        case "same size and time":
            _forge(two)
        case "mode":
            two.chmod(0o755)
        case "added":
            (root / "src" / "three.py").write_text("3")
        case "added directory":
            (root / "more" / "deep").mkdir(parents=True)
        case "removed":
            two.unlink()
        case "all gone":
            shutil.rmtree(root)
        case "file for directory":
            (root / "empty").rmdir()
            (root / "empty").touch()
        case "directory for file":
            (root / "logo.png").unlink()
            (root / "logo.png").mkdir()


def _forge(path: Path) -> None:
    before = path.stat()
    path.write_text("X\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


DAMAGES = (
    "same size|same size and time|mode|added|added directory|removed|all gone|file for directory|directory for file"
)


@pytest.mark.parametrize("damage", DAMAGES.split("|"))
def test_what_was_tampered_with_between_steps_gets_into_nothing_and_is_made_good(demo, make, new_execution, damage):
    execution = new_execution()
    first = make(execution, structure=STRUCTURE)
    _age(folder(first))
    GeneratedProject.objects.update(workspace_seal=_seal_of_now(folder(first)))
    _age(folder(first))
    tampered(folder(first), damage)
    second = make(execution, readme="# later")
    assert committed(demo, second["commit"]) == {
        "README.md": b"# later",
        "bin/run": b"x",
        "logo.png": b"\x89PNG\0",
        "src/one.py": b"1\n",
        "src/two.py": b"2\n",
    }
    assert tree_of(folder(second))["src/two.py"] == b"2\n"
    archive = package(project=demo, user=User.objects.get(), execution_id=execution, format="tar")
    assert archive_tree(Path(archive["path"])) == tree_of(folder(second))
    assert not os.access(folder(second) / "src" / "two.py", os.X_OK)


def test_a_link_in_the_workspace_stops_the_next_step(make, new_execution):
    execution = new_execution()
    first = make(execution, structure=STRUCTURE)
    (folder(first) / "link").symlink_to("/etc/passwd")
    with pytest.raises(InvalidPath):
        make(execution, readme="# later")


def test_leavings_of_an_attempt_that_was_not_recorded_get_into_nothing(demo, make, owner, new_execution):
    execution = new_execution()
    opened = open_generation(project=demo, user=owner, execution_id=execution)
    Workspace(Path(opened.output_directory)).write("half/written.txt", b"ha")
    made = make(execution, readme="# x")
    assert tree_of(folder(made)) == {"README.md": b"# x"}
    assert committed(demo, made["commit"]) == {"README.md": b"# x"}
    again = open_generation(project=demo, user=owner, execution_id=new_execution())
    Workspace(Path(again.output_directory)).write("half/written.txt", b"ha")
    late = make(again.workflow_execution_id, readme="# y")
    assert committed(demo, late["commit"]) == {"README.md": b"# y"}


@pytest.mark.parametrize("named", ["id", "latest"])
def test_a_generation_is_based_on_an_earlier_one(demo, make, new_execution, named):
    older = make(None, structure=STRUCTURE)
    if named == "id":
        make(None, readme="# newest")
    based = make(
        new_execution(),
        based_on=older["generation"] if named == "id" else "latest",
        structure={"src": {"one.py": "new\n"}},
        remove=["bin", "nothing.txt"],
    )
    assert committed(demo, based["commit"]) == {"logo.png": b"\x89PNG\0", "src/one.py": b"new\n", "src/two.py": b"2\n"}
    assert tree_of(folder(based)).keys() == {"empty", "logo.png", "src", "src/one.py", "src/two.py"}
    assert tree_of(folder(older))["bin/run"] == b"x"
    row = GeneratedProject.objects.get(pk=based["generation"])
    assert str(row.based_on_id) == older["generation"]
    # The history goes on from the newest, whatever it is based on.
    assert parents(demo, based["commit"])[1] == row.parent_commit


def test_latest_of_nothing_begins_with_nothing(make, new_execution):
    assert make(new_execution(), based_on="latest", readme="# x")["total_files"] == 1


def test_what_a_generation_is_based_on_is_settled_with_its_first_commit(demo, make, new_execution):
    one, two = make(None, readme="# 1"), make(None, readme="# 2", structure={"two": ""})
    execution = new_execution()
    made = make(execution, based_on=one["generation"], structure={"a": ""})
    assert make(execution, based_on=one["generation"], structure={"a": ""})["commit"] == made["commit"]
    make(execution, structure={"b": ""}, based_on="latest")
    assert str(GeneratedProject.objects.get(pk=made["generation"]).based_on_id) == one["generation"]
    with pytest.raises(Conflict, match="did not begin"):
        make(execution, based_on=two["generation"], structure={"a": ""})


def test_a_base_must_be_the_projects_own_and_done(demo, make, owner):
    other = Project.objects.create(name="O", slug="o", owner=owner)
    foreign = generate(project=other, user=owner, execution_id=None, readme="#")
    opened = open_generation(project=demo, user=owner, execution_id=None)
    for reference in (foreign["generation"], str(opened.pk), str(uuid4())):
        with pytest.raises(NotFound):
            make(None, based_on=reference, readme="#")
    for nonsense in ("newest", "../x", "", 7):
        with pytest.raises(InvalidInput):
            make(None, based_on=nonsense, readme="#")


def test_a_base_whose_rows_were_damaged_is_read_from_the_store(demo, make):
    older = make(None, structure=STRUCTURE)
    ProjectFile.objects.filter(file_path="src/one.py").update(content_hash="0" * 64)
    based = make(None, based_on=older["generation"], readme="# x")
    assert committed(demo, based["commit"])["src/one.py"] == b"1\n"
    GeneratedProject.objects.filter(pk=older["generation"]).update(content_digest="0" * 64)
    with pytest.raises(Conflict, match="neither in the database"):
        make(None, based_on=older["generation"], readme="# x")


def test_damaged_rows_of_the_generation_itself_are_made_good_by_its_next_step(demo, make, new_execution):
    execution = new_execution()
    made = make(execution, structure=STRUCTURE)
    rows = ProjectFile.objects.filter(generated_project=made["generation"])
    right = dict(rows.values_list("file_path", "content_hash"))
    rows.filter(file_path="src/one.py").update(content_hash="0" * 64, content_preview="?")
    make(execution, readme="# x")
    assert dict(rows.exclude(file_path="README.md").values_list("file_path", "content_hash")) == right
    assert rows.get(file_path="src/one.py").content_preview == "1\n"


def test_rows_that_do_not_belong_to_the_commit_stop_it(demo, make, new_execution):
    execution = new_execution()
    first, other = make(execution, structure=STRUCTURE), make(None, readme="# other")
    GeneratedProject.objects.filter(pk=first["generation"]).update(commit=other["commit"])
    with pytest.raises(Conflict, match="does not hold the files"):
        make(execution, structure={"a": ""})


def test_without_the_store_nothing_follows(make, new_execution, settings):
    execution = new_execution()
    make(execution, structure=STRUCTURE)
    shutil.rmtree(settings.GIT_STORES_DIR)
    with pytest.raises(Conflict, match="does not have the commit"):
        make(execution, readme="# later")
