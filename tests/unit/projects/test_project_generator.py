"""ProjectGenerator: every method of it, and that a step's whole request is checked before anything is written."""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from backend.apps.projects.errors import InvalidPath, InvalidTemplate, QuotaExceeded, WorkspaceBusy
from backend.apps.projects.services.limits import Limits
from backend.apps.projects.services.project_generator import ProjectGenerator
from backend.apps.projects.services.workspace import Workspace
from backend.errors import InvalidInput, NotFound, RepomillError


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, settings: Any) -> Path:
    settings.GENERATED_PROJECTS_DIR = tmp_path / "generated"
    settings.PROJECT_TEMPLATES_DIR = tmp_path / "templates"
    settings.ARCHIVES_DIR = tmp_path / "archives"
    settings.GIT_STORES_DIR = tmp_path / "git"
    (tmp_path / "templates" / "python").mkdir(parents=True)
    (tmp_path / "templates" / "python" / "main.py").write_text("print({{ text }})\n")
    (tmp_path / "templates" / "latin1").write_bytes(b"\xe9")
    (tmp_path / "templates" / "link").symlink_to("/etc/passwd")
    return tmp_path


@pytest.fixture
def generator() -> ProjectGenerator:
    return ProjectGenerator(str(uuid4()), generation_id=str(uuid4()))


def tree(generator: ProjectGenerator) -> dict[str, bytes]:
    return {
        entry.path: b"" if entry.is_directory else (generator.base_dir / entry.path).read_bytes()
        for entry in generator.workspace.entries()
    }


def test_where_it_works(folders: Path):
    project, generation = str(uuid4()), str(uuid4())
    assert ProjectGenerator(project).base_dir == folders / "generated" / project
    generator = ProjectGenerator(project.upper(), generation_id=generation)
    assert generator.base_dir == folders / "generated" / generation
    assert generator.project_id == project
    assert generator.base_dir.is_dir()


@pytest.mark.parametrize(
    "bad", ["", "../x", "12", "{0b5ae8b4-2a3c-4d3e-9f10-1c2d3e4f5a6b}", "0b5ae8b42a3c4d3e9f101c2d3e4f5a6b"]
)
def test_an_id_is_a_uuid(bad, folders: Path):
    for arguments in ({"project_id": bad}, {"project_id": str(uuid4()), "generation_id": bad}):
        with pytest.raises(InvalidInput) as refused:
            ProjectGenerator(**arguments)
        assert refused.value.place["field"] in arguments
    assert not (folders / "generated").exists()


def test_the_single_methods(generator: ProjectGenerator):
    base = generator.base_dir
    assert generator.create_directory("docs/img") == base / "docs" / "img"
    assert generator.write_file("a.txt", "x\r\ny") == base / "a.txt"
    assert generator.write_file("b.txt", "\u00e9", "latin-1") == base / "b.txt"
    assert generator.write_file("c.bin", "AP8=", encoding="base64") == base / "c.bin"
    assert generator.create_gitignore(["*.pyc", "/dist"]) == base / ".gitignore"
    assert generator.create_readme("# Title") == base / "README.md"
    written = generator.generate_from_template("python/main.py", "src/main.py", {"text": "'<&>'"})
    assert written == base / "src" / "main.py"
    assert tree(generator) == {
        ".gitignore": b"*.pyc\n/dist\n",
        "README.md": b"# Title",
        "a.txt": b"x\r\ny",
        "b.txt": b"\xe9",
        "c.bin": b"\x00\xff",
        "docs": b"",
        "docs/img": b"",
        "src": b"",
        "src/main.py": b"print('<&>')\n",
    }


def test_a_structure(generator: ProjectGenerator):
    structure = {
        "src": {"main.py": "1", "pkg": ["__init__.py"]},
        "empty": [],
        "bin/run": {"content": "x", "executable": True},
    }
    expected = {path: generator.base_dir / path for path in ("src/main.py", "src/pkg/__init__.py", "bin/run")}
    assert generator.generate_project_structure(structure) == expected
    before = tree(generator)
    assert generator.generate_project_structure(structure) == expected
    assert tree(generator) == before
    assert "empty" in before
    assert (generator.base_dir / "bin/run").stat().st_mode & 0o111


def test_everything_that_a_step_asks_for(generator: ProjectGenerator):
    request: dict[str, Any] = {
        "structure": {"src": {"app.py": "{{ untouched }}\n"}},
        "files": [
            {"path": "plain.txt", "content": "{{ x }}"},
            {"path": "bin/run", "content": "#!/bin/sh\n", "executable": True},
            {"path": "hello.txt", "template": "Hello {{ name }}", "context": {"name": "Ann"}},
            {"path": "latin.txt", "template": "{{ x }}", "context": {"x": "\u00e9"}, "encoding": "latin-1"},
        ],
        "templates": [
            {"output_path": "src/main.py", "template_path": "python/main.py", "context": {"text": 1}},
            {"output_path": "run2", "template": "{{ a }}", "context": {"a": "b"}, "executable": True},
        ],
        "gitignore": ["*.pyc"],
        "readme": "# R\n",
    }
    expected = {
        ".gitignore": b"*.pyc\n",
        "README.md": b"# R\n",
        "bin": b"",
        "bin/run": b"#!/bin/sh\n",
        "hello.txt": b"Hello Ann",
        "latin.txt": b"\xe9",
        "plain.txt": b"{{ x }}",
        "run2": b"b",
        "src": b"",
        "src/app.py": b"{{ untouched }}\n",
        "src/main.py": b"print(1)\n",
    }
    for _ in range(2):
        written = generator.generate(**request)
        assert tree(generator) == expected
        assert written == {path: generator.base_dir / path for path in expected if path not in {"bin", "src"}}
    executable = {entry.path for entry in generator.workspace.entries() if entry.executable}
    assert executable == {"bin/run", "run2"}


def test_nothing_asked_for_is_nothing_done(generator: ProjectGenerator):
    assert generator.generate() == {}
    assert tree(generator) == {}


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({"structure": {"a": "1"}, "files": [{"path": "a", "content": ""}]}, InvalidPath),
        ({"structure": {"README.md": "1"}, "readme": "2"}, InvalidPath),
        ({"structure": {"readme.md": "1"}, "readme": "2"}, InvalidPath),
        ({"templates": [{"output_path": ".gitignore", "template": ""}], "gitignore": []}, InvalidPath),
        ({"templates": [{"output_path": "../x", "template": ""}]}, InvalidPath),
        ({"templates": [{"output_path": "x", "template_path": "../generated"}]}, InvalidPath),
        ({"templates": [{"output_path": "x", "template_path": "link"}]}, InvalidPath),
        ({"templates": [{"output_path": "x", "template_path": "python"}]}, InvalidPath),
        ({"templates": [{"output_path": "x", "template_path": "absent"}]}, NotFound),
        ({"templates": [{"output_path": "x", "template_path": "latin1"}]}, InvalidInput),
        ({"templates": [{"output_path": "x", "template_path": 3}]}, InvalidPath),
        ({"templates": [{"output_path": "x", "template": "{% debug %}"}]}, InvalidTemplate),
        ({"templates": [{"output_path": "x", "template": "", "context": []}]}, InvalidTemplate),
        ({"templates": [{"output_path": "x", "template": 3}]}, InvalidTemplate),
        ({"templates": [{"output_path": "x", "template": "\u00e9", "encoding": "ascii"}]}, InvalidInput),
        ({"templates": [{"output_path": "x"}]}, InvalidInput),
        ({"templates": [{"output_path": "x", "template": "", "template_path": "a"}]}, InvalidInput),
        ({"templates": [{"template": ""}]}, InvalidInput),
        ({"templates": "x"}, InvalidInput),
        ({"files": [{"path": "x", "content": 3}]}, InvalidInput),
        ({"files": [{"path": "x", "content": "", "template": ""}]}, InvalidInput),
        ({"files": [{"path": "x", "content": "", "context": {}}]}, InvalidInput),
        ({"files": [{"path": "x", "content": "", "executable": 1}]}, InvalidInput),
        ({"files": [{"path": "x", "content": "", "mode": 493}]}, InvalidInput),
        ({"files": [{"path": 3, "content": ""}]}, InvalidInput),
        ({"files": ["x"]}, InvalidInput),
        ({"files": {"path": "x"}}, InvalidInput),
        ({"structure": []}, InvalidInput),
        ({"gitignore": "*.pyc"}, InvalidInput),
        ({"gitignore": [1]}, InvalidInput),
        ({"readme": 1}, InvalidInput),
        ({"readme": "x" * 1001}, QuotaExceeded),
        ({"templates": [{"output_path": "x", "template": "{{ a|ljust:1001 }}"}]}, QuotaExceeded),
    ],
)  # fmt: skip
def test_one_fault_and_nothing_is_written(request_, error):
    generator = ProjectGenerator(str(uuid4()), limits=Limits(file_bytes=1000))
    good = {"files": [{"path": "good", "content": "1"}]}
    with pytest.raises(error) as refused:
        generator.generate(**{**request_, "files": good["files"] + request_["files"]}
                           if isinstance(request_.get("files"), list) else {**good, **request_})  # fmt: skip
    assert isinstance(refused.value, RepomillError)
    assert tree(generator) == {}


def test_an_error_in_a_list_names_its_place(generator: ProjectGenerator):
    with pytest.raises(InvalidInput) as refused:
        generator.generate(files=[{"path": "a", "content": ""}, {"path": "b", "content": "", "mode": 1}])
    assert refused.value.place["field"] == "files[1].mode"


def test_a_project_that_is_there_is_not_harmed_by_a_bad_request(generator: ProjectGenerator):
    generator.write_file("a", "1")
    for bad in ({"a": "2", "A": "3"}, {"a": "2", "b/../c": ""}, {"a": {"b": "1"}}):
        with pytest.raises(InvalidPath):
            generator.generate_project_structure(bad)
    assert tree(generator) == {"a": b"1"}


def test_every_writing_method_waits_for_its_turn(generator: ProjectGenerator):
    with Workspace(generator.base_dir).writing():
        for attempt in (
            lambda: generator.create_directory("x"),
            lambda: generator.write_file("x", ""),
            lambda: generator.generate_project_structure({"x": ""}),
            lambda: generator.generate_from_template("python/main.py", "x", {}),
            lambda: generator.create_gitignore([]),
            lambda: generator.create_readme(""),
            lambda: generator.generate(),
            generator.cleanup,
        ):
            with pytest.raises(WorkspaceBusy):
                attempt()
    assert tree(generator) == {}


def test_cleaning_up(generator: ProjectGenerator):
    generator.write_file("a/b", "")
    generator.cleanup()
    generator.cleanup()
    assert not generator.base_dir.exists()
    generator.write_file("a", "1")
    assert tree(generator) == {"a": b"1"}


def test_the_git_directory_is_not_in_the_workspace(generator: ProjectGenerator, folders: Path):
    generator.write_file("a", "1")
    assert generator.initialize_git_repository() is True
    assert generator.initialize_git_repository() is True
    assert tree(generator) == {"a": b"1"}
    assert list((folders / "git").iterdir())


@pytest.mark.parametrize("format", ["zip", "tar", "tar.gz"])
def test_packaging(generator: ProjectGenerator, folders: Path, format):
    generator.write_file("src/a", "1")
    archive = generator.package_project(format) if format != "zip" else generator.package_project()
    assert archive == folders / "archives" / f"{generator.base_dir.name}.{format}"
    digest = hashlib.sha256(archive.read_bytes()).digest()
    if format == "zip":
        with zipfile.ZipFile(archive) as opened:
            assert opened.read("src/a") == b"1"
    else:
        with tarfile.open(archive) as opened_tar:
            assert "src/a" in opened_tar.getnames()
    assert hashlib.sha256(generator.package_project(format).read_bytes()).digest() == digest


@pytest.mark.parametrize("format", ["rar", "../zip", "zip/../../x"])
def test_another_format(generator: ProjectGenerator, folders: Path, format):
    with pytest.raises(InvalidInput):
        generator.package_project(format)
    assert not (folders / "archives").exists()
