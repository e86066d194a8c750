"""The main job on a running stack: real web process, broker, workers, database and git."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import django
import pytest

from backend.cli.stack.lock import running_stack
from tests.integration.installation import ROOT, Installation
from tests.integration.trees import archive_tree, clone, commits, files_of, tree_of

pytestmark = [pytest.mark.integration, pytest.mark.both_databases]

EXAMPLE = str(ROOT / "examples" / "publish-service" / "workflow.yaml")


def run(running: Installation, file: str | Path, *inputs: str, code: int = 0):
    pairs = [part for pair in inputs for part in ("--input", pair)]
    return running.json("run", str(file), "--project", "demo", "--follow", *pairs, code=code)


def test_the_example_publishes_a_service_that_works(running: Installation, tmp_path: Path):
    shown = run(running, EXAMPLE, "name=hello-service", 'routes=["health", "about"]')

    assert shown["status"] == "completed"
    assert [step["status"] for step in shown["steps"]] == ["completed"] * 3
    publish = shown["steps"][2]
    assert [task["method"] for task in publish["tasks"]] == [
        "generation.generate",
        "generation.package_project",
        "export.export_to_git",
    ]
    result = publish["result"]
    generated = tree_of(Path(result["generation"]["output_directory"]))
    cloned = clone(result["clone_url"], tmp_path / "clone")
    assert tree_of(cloned, directories=False) == files_of(generated)
    assert archive_tree(Path(result["archive"]["path"])) == generated
    assert "docs" in generated
    assert commits(cloned) == [result["commit"]]
    assert shown["outputs"]["commit"] == result["commit"]

    tested = subprocess.run(
        [sys.executable, "-m", "unittest", "discover", "-v"], cwd=cloned, capture_output=True, text=True
    )
    assert tested.returncode == 0, tested.stderr
    assert "Ran 3 tests" in tested.stderr
    assert (cloned / "run.sh").stat().st_mode & 0o111

    story = running.django(
        "from backend.apps.projects.models import Story\n"
        "answer = list(Story.objects.values_list('title', 'description', 'status'))"
    )
    assert story == [["Publish hello-service", "Started by operator.", "in_progress"]]


def test_the_records_say_what_was_generated_and_delivered(running: Installation):
    shown = run(running, EXAMPLE, "name=recorded-service")
    generation = shown["steps"][2]["result"]["generation"]
    records = running.django(
        "from backend.apps.projects.models import GeneratedProject\n"
        f"g = GeneratedProject.objects.get(pk={generation['generation']!r})\n"
        "e = g.repository_exports.get()\n"
        "a = g.archives.get()\n"
        "answer = [g.status, g.total_files, g.files.count(), e.status, e.export_type, e.repository_name, a.format,"
        " sorted(g.files.values_list('file_type', flat=True))[:2]]"
    )
    count = generation["total_files"]
    assert records[:7] == ["completed", count, count, "completed", "git", "recorded-service", "tar.gz"]


def test_a_second_run_of_the_same_content_pushes_nothing_new(running: Installation, tmp_path: Path):
    first = run(running, EXAMPLE, "name=twice-service")["steps"][2]["result"]
    again = run(running, EXAMPLE, "name=twice-service")["steps"][2]["result"]
    assert first["pushed"] is True
    assert first["created"] is True
    assert again["pushed"] is False
    assert again["created"] is False
    assert again["commit"] == first["commit"]


UNUSUAL = {
    "with space.txt": "a b\n",
    "ümläut-日本語.md": "# ü\n",
    "crlf.txt": "one\r\ntwo\r\n",
    "empty.txt": "",
    "-rf": "not an option\n",
    "empty-directory": [],
    "nested": {"empty": {}, "no-newline": "x", "tab\u2003em.txt": "\t"},
    ".hidden": "h\n",
    "$HOME.txt": "$HOME\n",
    "quo'te.txt": "q\n",
}


def large_structure() -> tuple[dict[str, object], dict[str, bytes]]:
    """Return Django's own source, text files only, as a structure and as path to bytes."""
    structure: dict[str, object] = {}
    expected: dict[str, bytes] = {}
    root = Path(django.__file__).parent
    for path in sorted(root.rglob("*")):
        if not path.is_file() or path.suffix in {".pyc", ".mo"} or path.stat().st_size > 1_000_000:
            continue
        content = path.read_bytes()
        try:
            text = content.decode()
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            continue
        name = path.relative_to(root).as_posix()
        node = structure
        *parents, last = name.split("/")
        for parent in parents:
            node = node.setdefault(parent, {})  # type: ignore[assignment]
        node[last] = text
        expected[name] = content
    return structure, expected


def test_a_large_real_tree_arrives_byte_for_byte(running: Installation, tmp_path: Path):
    structure, expected = large_structure()
    assert len(expected) > 2000
    structure["unusual"] = UNUSUAL
    (tmp_path / "structure.json").write_text(json.dumps(structure))
    workflow = tmp_path / "large.yaml"
    workflow.write_text(
        "name: publish-large\n"
        "inputs: {type: object, required: [structure], properties: {structure: {type: object}}}\n"
        "steps:\n"
        "  - id: publish\n"
        "    type: repo_creation\n"
        '    config: {host: git, repository_name: large, format: zip, structure: "${{ inputs.structure }}"}\n'
    )
    shown = run(running, workflow, f"structure=@{tmp_path / 'structure.json'}")
    assert shown["status"] == "completed"
    result = shown["steps"][0]["result"]

    cloned = tree_of(clone(result["clone_url"], tmp_path / "clone"), directories=False)
    packed = archive_tree(Path(result["archive"]["path"]))
    for name, content in expected.items():
        assert cloned[name] == content, name
        assert packed[name] == content, name
    assert cloned["unusual/-rf"] == b"not an option\n"
    assert cloned["unusual/crlf.txt"] == b"one\r\ntwo\r\n"
    assert cloned["unusual/ümläut-日本語.md"] == "# ü\n".encode()
    assert files_of(packed) == cloned
    assert packed["unusual/empty-directory"] is None
    assert packed["unusual/nested/empty"] is None
    assert len(cloned) == len(expected) + 10
    assert result["generation"]["total_files"] == len(cloned)


def test_flower_shows_readable_lines_and_no_argument(running: Installation):
    shown = run(running, EXAMPLE, "name=seen-in-flower", "greeting=F10wer-canary")
    info = running.wait_until(lambda: _flower_tasks(running), patience=20, what="tasks in Flower")
    ids = {task["id"] for step in shown["steps"] for task in step["tasks"]}
    seen = {name: task for name, task in info.items() if name in ids}
    assert set(seen) == ids
    assert "demo · publish · export.export_to_git" in {task["args"] for task in seen.values()}
    assert all(task["kwargs"] in {"", "{}", None} for task in seen.values())
    assert "F10wer-canary" not in json.dumps(info)


def _flower_tasks(running: Installation):
    info = running_stack(running.data_dir)
    assert info is not None
    password = (running.data_dir / "secrets" / "operator_password").read_text().strip()
    request = urllib.request.Request(info.flower_url + "api/tasks?limit=1000")
    request.add_header("Authorization", "Basic " + base64.b64encode(f"operator:{password}".encode()).decode())
    with urllib.request.urlopen(request, timeout=10) as answer:
        tasks = json.load(answer)
    names = [task["name"] for task in tasks.values()]
    return {task["uuid"]: task for task in tasks.values()} if "export.export_to_git" in names else None
