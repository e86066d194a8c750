"""Packaging a generation: once, whole, and as it was committed."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import pytest

from backend.apps.projects.errors import GitFailed
from backend.apps.projects.models import Archive, GeneratedProject, Organisation, Project
from backend.apps.projects.services import organisation_limits, packaging
from backend.apps.projects.services.archives import write_archive
from backend.apps.projects.services.generations import generate, open_generation, package
from backend.errors import Conflict, InvalidInput, NotFound

pytestmark = pytest.mark.django_db
Status = GeneratedProject.Status


@pytest.mark.parametrize("format", ["zip", "tar", "tar.gz"])
def test_an_archive_is_made_once_and_lies_where_it_says(demo, owner, new_execution, settings, format):
    execution = new_execution()
    generated = generate(project=demo, user=owner, execution_id=execution, structure={"a.txt": "1", "empty": []})
    first = package(project=demo, user=owner, execution_id=execution, format=format)
    path = Path(first["path"])
    name = f"demo-{generated['commit'][:12]}.{format}"
    assert path == settings.ARCHIVES_DIR / generated["generation"] / name
    assert path.stat().st_size == first["size"]
    assert first["commit"] == generated["commit"]
    changed = path.stat().st_mtime_ns
    assert package(project=demo, user=owner, execution_id=execution, format=format) == first
    assert path.stat().st_mtime_ns == changed
    assert Archive.objects.count() == 1


@pytest.mark.parametrize("damage", ["gone", "cut", "changed"])
def test_a_damaged_archive_is_made_anew_and_the_same(demo, owner, damage):
    generate(project=demo, user=owner, execution_id=None, readme="# x")
    first = package(project=demo, user=owner, execution_id=None, format="zip")
    path = Path(first["path"])
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(whole[:-1] if damage == "cut" else whole[:-1] + b"!")
    assert package(project=demo, user=owner, execution_id=None, format="zip") == first
    assert path.read_bytes() == whole


def test_a_zip_is_made_of_what_lies_in_the_store_and_a_damaged_store_is_passed_over(demo, owner, settings, monkeypatch):
    generate(project=demo, user=owner, execution_id=None, readme="# x", structure={"a.txt": "the same " * 99})
    monkeypatch.setattr(packaging, "write_archive", None)
    first = package(project=demo, user=owner, execution_id=None, format="zip")
    monkeypatch.undo()
    Path(first["path"]).unlink()
    (pack,) = settings.GIT_STORES_DIR.rglob("*.pack")
    pack.chmod(0o600)
    whole = pack.read_bytes()
    pack.write_bytes(whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:])
    asked = Mock(wraps=write_archive)
    monkeypatch.setattr(packaging, "write_archive", asked)
    assert package(project=demo, user=owner, execution_id=None, format="zip") == first
    asked.assert_called()


@pytest.mark.parametrize(
    "damage", ["removed", "file gone", "file changed", "file added", "link", "empty directory gone"]
)
def test_an_archive_is_the_commit_whatever_became_of_the_workspace(demo, owner, damage):
    generated = generate(
        project=demo,
        user=owner,
        execution_id=None,
        files=[{"path": "bin/run", "content": "x", "executable": True}],
        structure={"a.txt": "1", "empty": []},
    )
    folder = Path(generated["output_directory"])
    {
        "removed": lambda: shutil.rmtree(folder),
        "file gone": (folder / "a.txt").unlink,
        "file changed": lambda: (folder / "a.txt").write_text("2"),
        "file added": (folder / "b.txt").touch,
        "link": lambda: (folder / "l").symlink_to("/etc/passwd"),
        "empty directory gone": (folder / "empty").rmdir,
    }[damage]()
    path = package(project=demo, user=owner, execution_id=None, format="zip")["path"]
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["a.txt", "bin/", "bin/run", "empty/"]
        assert archive.read("a.txt") == b"1"


def test_without_workspace_and_store_there_is_no_archive(demo, owner, settings):
    generated = generate(project=demo, user=owner, execution_id=None, readme="# x")
    os.unlink(Path(generated["output_directory"], "README.md"))
    shutil.rmtree(settings.GIT_STORES_DIR)
    with pytest.raises((NotFound, GitFailed)):
        package(project=demo, user=owner, execution_id=None, format="zip")
    assert not Archive.objects.exists()
    assert not list(Path(settings.ARCHIVES_DIR).rglob("*.zip"))


def test_only_a_completed_generation_is_packaged(demo, owner, new_execution):
    with pytest.raises(Conflict, match="Nothing has been generated"):
        package(project=demo, user=owner, execution_id=None, format="zip")
    execution = new_execution()
    open_generation(project=demo, user=owner, execution_id=execution)
    with pytest.raises(Conflict, match="generating"):
        package(project=demo, user=owner, execution_id=execution, format="zip")
    with pytest.raises(Conflict):
        package(project=demo, user=owner, execution_id=uuid4(), format="zip")


def test_an_unknown_format_is_refused(demo, owner):
    generate(project=demo, user=owner, execution_id=None, readme="# x")
    with pytest.raises(InvalidInput, match="rar"):
        package(project=demo, user=owner, execution_id=None, format="rar")


def test_what_another_has_packaged_meanwhile_is_not_taken_from_it(make, demo, owner, monkeypatch):
    organisation = Organisation.objects.create(name="o", slug="o")
    Project.objects.filter(pk=demo.pk).update(organisation=organisation)
    make(readme="x")
    real = packaging.write
    quicker: list[Any] = []

    def write(**wanted):
        made = real(**wanted)
        if not quicker:
            quicker.append(None)
            quicker.append(packaging.package(project=demo, user=owner, execution_id=None, format="tar"))
            full = organisation_limits.stored(organisation.pk) + 1
            monkeypatch.setitem(organisation_limits.ALLOWANCES, "free", organisation_limits.Allowance(1, full))
        return made

    monkeypatch.setattr(packaging, "write", write)
    assert packaging.package(project=demo, user=owner, execution_id=None, format="tar") == quicker[1]
    assert Path(quicker[1]["path"]).exists()
