"""What generations changed: as values, and as `repomill projects log` and `diff` show it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from backend.apps.authentication.models import User
from backend.apps.projects.models import Project, ProjectMembership
from backend.apps.projects.services.generations import generate
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.history import compare, generation_log
from backend.cli.app import main
from backend.cli.commands import project_history
from backend.errors import Conflict, InvalidInput, NotFound

pytestmark = pytest.mark.django_db
BINARY = {"content": "AAECAw==", "encoding": "base64"}
FIRST: dict[str, Any] = {
    "a.txt": "one\ntwo\n",
    "bin": {"run": "#!/bin/sh\n"},
    "logo.png": BINARY,
    "old.txt": "old\n",
    "odd 'name' ü.txt": "1\n",
}
SECOND: dict[str, Any] = {
    "a.txt": "one\nTWO\nthree\n",
    "bin": {"run": {"content": "#!/bin/sh\n", "executable": True}},
    "logo.png": {"content": "AAECBA==", "encoding": "base64"},
    "new": {"x.py": "1\n\x1b[31m2\n"},
    "odd 'name' ü.txt": "2\n",
    ".gitattributes": "*.txt binary\n*.py diff=evil\n",
}


@pytest.fixture
def make(demo: Project, owner: User) -> Callable[..., dict[str, Any]]:
    return lambda **asked: generate(project=demo, user=owner, execution_id=None, **asked)


@pytest.fixture
def two(make) -> tuple[dict[str, Any], dict[str, Any]]:
    return make(structure=FIRST), make(structure=SECOND)


def run(capsys, *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(["projects", *arguments, "--user", "owner"])
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out + said.err


def test_the_log_tells_what_each_generation_changed(demo, two, make):
    make(structure=SECOND)
    rows = generation_log(project=demo)
    assert [(row.added, row.changed, row.removed) for row in rows] == [(0, 0, 0), (2, 4, 1), (5, 0, 0)]
    assert [row.commit for row in rows] == [two[1]["commit"], two[1]["commit"], two[0]["commit"]]
    assert {row.by for row in rows} == {"owner"}
    assert rows[2].total_size == two[0]["total_size"]
    assert len(generation_log(project=demo, limit=1)) == 1


def test_changes_are_read_from_the_store_whatever_attributes_and_workspaces_say(demo, two):
    Path(two[1]["output_directory"], "a.txt").write_text("tampered")
    found = {change.path: change for change in compare(project=demo).changes()}
    shown = {path: (change.status, change.lines_added, change.lines_removed) for path, change in found.items()}
    assert shown == {
        "a.txt": ("changed", 2, 1),
        "bin/run": ("changed", 0, 0),
        "logo.png": ("changed", None, None),
        "new/x.py": ("added", 2, 0),
        "odd 'name' ü.txt": ("changed", 1, 1),
        ".gitattributes": ("added", 2, 0),
        "old.txt": ("removed", 0, 1),
    }
    assert [path for path, change in found.items() if change.mode_changed] == ["bin/run"]
    assert [path for path, change in found.items() if change.binary] == ["logo.png"]


def test_the_patch_is_what_git_applies(demo, two, tmp_path):
    target = tmp_path / "applied"
    target.mkdir()
    for path, content in (("a.txt", "one\ntwo\n"), ("old.txt", "old\n"), ("odd 'name' ü.txt", "1\n")):
        (target / path).write_text(content)
    (target / "bin").mkdir()
    (target / "bin" / "run").write_text("#!/bin/sh\n")
    with compare(project=demo).patch() as stream:
        patch = stream.read()
    assert b"Binary files a/logo.png and b/logo.png differ" in patch
    subprocess.run(["git", "apply", "--exclude=logo.png", "-"], cwd=target, input=patch, check=True)
    assert (target / "a.txt").read_text() == "one\nTWO\nthree\n"
    assert (target / "new" / "x.py").read_bytes() == b"1\n\x1b[31m2\n"
    assert not (target / "old.txt").exists()


def test_references(demo, two, make, new_execution, owner):
    first, second = two
    assert compare(project=demo, old=first["commit"][:7]).old == ""
    assert compare(project=demo, old=second["generation"][:6]).old == first["commit"]
    forth = compare(project=demo, old=second["commit"], new=first["generation"])
    assert (forth.old, forth.new) == (second["commit"], first["commit"])
    # A commit that no generation ends with: an earlier step's.
    execution = new_execution()
    step = generate(project=demo, user=owner, execution_id=execution, structure={"s": "1"})
    end = generate(project=demo, user=owner, execution_id=execution, structure={"t": "1"})
    assert compare(project=demo, old=step["commit"]).old == second["commit"]
    assert compare(project=demo, old=end["commit"]).old == second["commit"]
    same = make(based_on="latest", gitignore=None)
    assert same["commit"] == end["commit"]
    assert compare(project=demo, old=same["commit"]).old == second["commit"]
    for unknown in ("zzzz", "abc", "0" * 40, "", "--help", "HEAD", first["commit"][:3]):
        with pytest.raises(NotFound):
            compare(project=demo, old=unknown)


def test_the_beginning_of_more_than_one_id_is_refused(demo, two, monkeypatch):
    monkeypatch.setattr("backend.apps.projects.services.history.SHORTEST", 0)
    with pytest.raises(InvalidInput, match="more than one"):
        compare(project=demo, old="")


def test_nothing_generated_and_nothing_kept(demo, make, settings, owner):
    assert generation_log(project=demo) == []
    with pytest.raises(NotFound, match="Nothing has been generated"):
        compare(project=demo)
    made = make(readme="# x")
    GitStore.for_project(demo.pk).path.rename(settings.GIT_STORES_DIR / "lost")
    with pytest.raises(Conflict):
        compare(project=demo).changes()
    with pytest.raises(NotFound):
        compare(project=demo, old="f" * 40)
    assert compare(project=demo, old=made["commit"]).old == ""


def test_the_command_log(demo, two, capsys):
    code, said = run(capsys, "log", "demo")
    assert code == 0
    assert two[0]["commit"][:8] in said
    assert "+2 ~4 -1" in said
    rows = json.loads(run(capsys, "log", str(demo.pk), "--json", "-n", "1")[1])
    assert [(row["commit"], row["added"], row["by"]) for row in rows] == [(two[1]["commit"], 2, "owner")]


def test_the_command_diff(demo, two, capsysbinary):
    with pytest.raises(SystemExit) as ended:
        main(["projects", "diff", "demo", "--user", "owner"])
    assert not ended.value.code
    with compare(project=demo).patch() as stream:
        assert capsysbinary.readouterr().out == stream.read()


def test_the_command_diff_stat_and_json(demo, two, capsys):
    said = run(capsys, "diff", "demo", "--stat")[1]
    assert "~ a.txt  +2 -1" in said
    assert "logo.png  binary" in said
    assert "~ bin/run  +0 -0  mode" in said
    assert "2 added, 4 changed, 1 removed" in said
    found = json.loads(run(capsys, "diff", "demo", "--json")[1])
    assert (found["old"], found["new"], found["removed"]) == (two[0]["commit"], two[1]["commit"], 1)
    assert {"path": "logo.png", "binary": True}.items() <= next(f for f in found["files"] if f["binary"]).items()
    same = run(capsys, "diff", "demo", two[0]["commit"], two[0]["commit"])
    assert same == (0, "")
    assert "nothing changed" in run(capsys, "diff", "demo", two[0]["commit"], two[0]["commit"], "--stat")[1]


def test_on_a_terminal_lines_have_colours_and_nothing_steers_it(demo, two, capsys, monkeypatch):
    console = Console(force_terminal=True, color_system="standard", width=100)
    project_history._print_patch(compare(project=demo), console)
    said = capsys.readouterr().out
    assert "\x1b[32m+TWO" in said
    assert "\x1b[31m-two" in said
    assert "\x1b[35mBinary files" in said
    assert "+\\x1b[31m2" in said


def test_only_who_may_read_the_project_sees_its_history(demo, two, capsys):
    stranger = User.objects.create(username="stranger")
    for command in ("log", "diff"):
        with pytest.raises(SystemExit) as ended:
            main(["projects", command, "demo", "--user", "stranger"])
        assert ended.value.code == 4
    ProjectMembership.objects.create(project=demo, user=stranger, role="viewer")
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["projects", "log", "demo", "--user", "stranger"])
    assert not ended.value.code


def test_the_log_of_nothing(demo, capsys):
    assert "Nothing has been generated" in run(capsys, "log", "demo")[1]
    assert json.loads(run(capsys, "log", "demo", "--json")[1]) == []
