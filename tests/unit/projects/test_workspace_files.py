"""A project's own workspace, file by file, and what becomes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backend.apps.authentication.models import User
from backend.apps.projects.errors import InvalidPath
from backend.apps.projects.models import GeneratedProject, Project
from backend.apps.projects.services import workspace_commit, workspace_diff, workspace_files
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.packaging import package
from backend.apps.projects.services.project_generator import ProjectGenerator
from backend.apps.projects.services.workspace_diff import compare_workspace
from backend.errors import Conflict, InvalidInput, NotFound


def write(project: Project, **files: str) -> ProjectGenerator:
    generator = ProjectGenerator(str(project.pk))
    for path, content in files.items():
        generator.write_file(path.replace("__", "/").replace("_", "."), content)
    return generator


def paths(project: Project, below: str | None = None) -> list[str]:
    return [entry.path for entry in workspace_files.list_files(project, below=below)]


def changed(project: Project) -> list[tuple[str, str]]:
    return [(each.path, each.status) for each in compare_workspace(project=project).files]


def patch(project: Project, paths: list[str] | None = None) -> str:
    return workspace_diff.patch(project=project, found=compare_workspace(project=project), paths=paths)


def test_files_are_listed_read_and_deleted(demo: Project) -> None:
    assert paths(demo) == []
    write(demo, src__b_py="b", src__a_py="a", README_md="r")
    assert paths(demo) == ["README.md", "src/a.py", "src/b.py"]
    assert paths(demo, "src/") == ["src/a.py", "src/b.py"]
    assert paths(demo, "sr") == []
    assert workspace_files.read_file(demo, path="src/a.py", most=9) == b"a"
    assert workspace_files.delete_files(demo, paths=["src/", "README.md"]) == [
        "README.md",
        "src/a.py",
        "src/b.py",
    ]
    assert paths(demo) == []
    assert not (ProjectGenerator(str(demo.pk)).base_dir / "src").exists()


def test_a_directory_goes_with_all_it_holds_and_nothing_else_that_begins_like_it(demo: Project) -> None:
    write(demo, src__deep__a_py="a", src__b_py="b", srcs__c_py="c", src_txt="t")
    assert workspace_files.delete_files(demo, paths=["src/deep", "src"]) == ["src/b.py", "src/deep/a.py"]
    assert paths(demo) == ["src.txt", "srcs/c.py"]


def test_deleting_is_all_or_nothing(demo: Project) -> None:
    write(demo, a_txt="a")
    with pytest.raises(NotFound, match=r"'b\.txt'"):
        workspace_files.delete_files(demo, paths=["a.txt", "b.txt"])
    for path in ("../a.txt", "/etc/passwd", "a/../b", ".git/config"):
        with pytest.raises(InvalidPath):
            workspace_files.delete_files(demo, paths=["a.txt", path])
    assert paths(demo) == ["a.txt"]


def test_what_is_not_there_or_too_large_is_not_read(demo: Project) -> None:
    with pytest.raises(NotFound):
        workspace_files.read_file(demo, path="a.txt", most=9)
    write(demo, a_txt="12345")
    assert workspace_files.read_file(demo, path="a.txt", most=5) == b"12345"
    with pytest.raises(InvalidInput, match="larger than 4 bytes"):
        workspace_files.read_file(demo, path="a.txt", most=4)
    with pytest.raises(InvalidPath):
        workspace_files.read_file(demo, path="../a.txt", most=9)


def test_a_link_that_was_planted_is_neither_read_nor_removed_through(demo: Project, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("secret")
    (write(demo, a_txt="a").base_dir / "link").symlink_to(outside)
    with pytest.raises(InvalidPath):
        workspace_files.read_file(demo, path="link", most=9)
    with pytest.raises(InvalidPath):
        workspace_files.list_files(demo)
    assert outside.read_text() == "secret"


def test_a_workspace_becomes_a_generation(demo: Project, owner: User) -> None:
    with pytest.raises(Conflict, match="no file"):
        workspace_commit.commit_workspace(project=demo, user=owner)
    generator = write(demo, a_txt="a\n", b_txt="b\n")
    generator.write_file("logo.png", "AAEC", "base64")
    generator.generate(files=[{"path": "run.sh", "content": "#!/bin/sh\n", "executable": True}])
    generator.create_directory("empty/dir")
    assert changed(demo) == [(path, "added") for path in ("a.txt", "b.txt", "logo.png", "run.sh")]

    first = workspace_commit.commit_workspace(project=demo, user=owner)
    generation = GeneratedProject.objects.get(pk=first["generation"])
    assert (generation.status, generation.total_files, generation.empty_directories) == ("completed", 4, ["empty/dir"])
    assert generation.files.get(file_path="run.sh").executable
    assert GitStore.for_project(demo.pk).file(first["commit"], "logo.png") == b"\0\1\2"
    assert first["changed"]
    assert changed(demo) == []

    again = workspace_commit.commit_workspace(project=demo, user=owner)
    assert (again["generation"], again["commit"], again["changed"]) == (first["generation"], first["commit"], False)

    write(demo, a_txt="a\nmore\n")
    workspace_files.delete_files(demo, paths=["b.txt"])
    assert changed(demo) == [("a.txt", "changed"), ("b.txt", "removed")]
    second = workspace_commit.commit_workspace(project=demo, user=owner)
    assert GeneratedProject.objects.get(pk=second["generation"]).parent_commit == first["commit"]
    assert package(project=demo, user=owner, execution_id=None, format="zip")["commit"] == second["commit"]


def test_a_patch_is_for_reading(demo: Project, owner: User) -> None:
    write(demo, a_txt="one\ntwo\n", b_txt="b\n")
    workspace_commit.commit_workspace(project=demo, user=owner)
    generator = write(demo, a_txt="one\n2", c_txt="c\n")
    generator.write_file("logo.png", "AAEC", "base64")
    workspace_files.delete_files(demo, paths=["b.txt"])
    assert patch(demo) == (
        "--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n\\ No newline at end of file\n"
        "--- a/b.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-b\n"
        "--- /dev/null\n+++ b/c.txt\n@@ -0,0 +1 @@\n+c\n"
        "added logo.png (binary or large)\n"
    )
    assert patch(demo, paths=["c.txt"]).startswith("--- /dev/null\n+++ b/c.txt")


def test_a_patch_names_what_has_no_lines(demo: Project, owner: User) -> None:
    write(demo, a_txt="a\n", b_txt="b\n", gone_txt="")
    workspace_commit.commit_workspace(project=demo, user=owner)
    workspace_files.delete_files(demo, paths=["gone.txt"])
    new: list[dict[str, Any]] = [
        {"path": "a.txt", "content": "a\n", "executable": True},
        {"path": "b.txt", "content": "2\n", "executable": True},
        {"path": "new.txt", "content": ""},
    ]
    ProjectGenerator(str(demo.pk)).generate(files=new)
    assert patch(demo) == (
        "changed a.txt (now executable)\n"
        "changed b.txt (now executable)\n"
        "--- a/b.txt\n+++ b/b.txt\n@@ -1 +1 @@\n-b\n+2\n"
        "removed gone.txt (empty)\n"
        "added new.txt (empty)\n"
    )


def test_lines_of_a_patch_end_with_line_feeds_alone(demo: Project, owner: User) -> None:
    write(demo, a_txt="one\u2028two\x85three\x0bfour\rfive\n")
    workspace_commit.commit_workspace(project=demo, user=owner)
    write(demo, a_txt="one\u2028two\x85three\x0bfour\rFIVE\n")
    assert patch(demo) == (
        "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n"
        "-one\u2028two\x85three\x0bfour\rfive\n+one\u2028two\x85three\x0bfour\rFIVE\n"
    )


def test_a_long_patch_is_cut_and_says_so(demo: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace_diff, "LONGEST_PATCH", 60)
    write(demo, a_txt="line\n" * 100)
    shown = patch(demo)
    assert shown.endswith("... and more; name the paths to see the rest.\n")
    assert len(shown) < 120


def test_a_workspace_begins_with_the_newest_generation(demo: Project, owner: User) -> None:
    with pytest.raises(Conflict, match="no generation"):
        workspace_commit.check_out(project=demo)
    generator = write(demo, a_txt="a", b_txt="b")
    generator.generate(files=[{"path": "run.sh", "content": "x", "executable": True}])
    generator.create_directory("empty")
    made = workspace_commit.commit_workspace(project=demo, user=owner)
    write(demo, a_txt="changed", c_txt="new")
    workspace_files.delete_files(demo, paths=["b.txt", "run.sh"])
    assert workspace_commit.check_out(project=demo)["commit"] == made["commit"]
    assert changed(demo) == []
    assert paths(demo) == ["a.txt", "b.txt", "run.sh"]
    assert (generator.base_dir / "empty").is_dir()
