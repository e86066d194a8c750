"""Archives are kept under keys, in a folder or in any other storage of Django's."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.files.storage import InMemoryStorage, storages

from backend.apps.projects.models import Archive
from backend.apps.projects.services import archive_storage
from backend.apps.projects.services.archive_storage import (
    LEFTOVER_SECONDS,
    archives_storage,
    is_whole,
    open_archive,
    real_path,
    sweep_leftovers,
)
from backend.apps.projects.services.generations import generate, package
from backend.errors import TemporaryFailure

pytestmark = pytest.mark.django_db


@pytest.fixture
def packed(demo, owner) -> Callable[[], dict[str, Any]]:
    generate(project=demo, user=owner, execution_id=None, readme="# x")
    return lambda: package(project=demo, user=owner, execution_id=None, format="zip")


@pytest.fixture
def bucket(settings):
    settings.STORAGES = {**settings.STORAGES, "archives": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}
    return storages["archives"]


def test_the_row_has_a_key_and_the_result_the_real_path(packed, settings):
    result = packed()
    row = Archive.objects.get()
    assert row.path == f"{result['generation']}/demo-{result['commit'][:12]}.zip"
    assert result["path"] == str(settings.ARCHIVES_DIR / row.path) == real_path(row.path)
    with open_archive(row) as file:
        assert file.read() == Path(result["path"]).read_bytes()


def test_the_folder_can_be_moved(packed, settings, tmp_path):
    first = packed()
    settings.ARCHIVES_DIR.rename(tmp_path / "elsewhere")
    settings.ARCHIVES_DIR = tmp_path / "elsewhere"
    changed = Path(real_path(Archive.objects.get().path)).stat().st_mtime_ns
    again = packed()
    assert again["path"] == str(tmp_path / "elsewhere" / Archive.objects.get().path)
    assert Path(again["path"]).stat().st_mtime_ns == changed
    assert again["digest"] == first["digest"]


def test_another_storage(packed, bucket, settings):
    first = packed()
    row = Archive.objects.get()
    assert isinstance(archives_storage(), InMemoryStorage)
    assert first["path"] == row.path
    assert is_whole(row)
    assert not Path(settings.ARCHIVES_DIR).exists()
    bucket.delete(row.path)
    assert not is_whole(row)
    assert packed() == first
    with bucket.open(row.path, "wb") as file:
        file.write(b"x" * row.size)
    assert not is_whole(row)
    assert packed() == first
    assert bucket.listdir(first["generation"])[1] == [Path(row.path).name]


def test_a_storage_that_renames_is_no_answer(packed, bucket, monkeypatch):
    monkeypatch.setattr(InMemoryStorage, "delete", lambda self, name: None)
    monkeypatch.setattr(archive_storage, "is_whole", lambda archive: False)
    packed()
    with pytest.raises(TemporaryFailure):
        packed()


def test_older_rows_become_keys(packed):
    packed()
    migration = import_module("backend.apps.projects.migrations.0002_bases_seals_and_archive_keys")
    key = Archive.objects.get().path
    migration.keys_to_paths(apps, None)
    assert Archive.objects.get().path == real_path(key)
    migration.paths_to_keys(apps, None)
    assert Archive.objects.get().path == key


def test_what_killed_attempts_left_is_swept_and_nothing_else(packed, settings):
    archive = Path(packed()["path"])
    old, young = archive.with_name(".old.part"), archive.with_name(".young.part")
    now = 1_800_000_000.0
    for path, age in ((old, LEFTOVER_SECONDS + 1), (young, 60), (archive, 10 * LEFTOVER_SECONDS)):
        path.touch()
        os.utime(path, (now - age, now - age))
    assert sweep_leftovers(now=now) == 1
    assert (old.exists(), young.exists(), archive.exists()) == (False, True, True)
    assert sweep_leftovers(now=now) == 0


def test_there_is_nothing_to_sweep_in_a_bucket(bucket):
    assert sweep_leftovers(now=1_800_000_000.0) == 0
