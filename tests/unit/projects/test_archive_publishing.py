"""An archive has its name once it is safe on the disk, and not before; whether alone or with others."""

from __future__ import annotations

import os
from contextlib import nullcontext

import pytest

from backend.apps.projects.services.archive_publishing import Publisher, published


@pytest.fixture(params=["alone", "with others"])
def publisher(request):
    return nullcontext(None) if request.param == "alone" else Publisher()


@pytest.fixture
def synced(monkeypatch):
    """What was made safe, in order: the number of names in the folder at that moment, and whether it was the folder."""
    found = []

    def fsync(descriptor):
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        is_folder = os.path.isdir(path)
        folder = path if is_folder else os.path.dirname(path)
        found.append(("folder" if is_folder else "file", sorted(n for n in os.listdir(folder) if n[0] != ".")))

    monkeypatch.setattr(os, "fsync", fsync)
    return found


def test_it_is_safe_before_it_has_its_name_and_its_name_is_made_safe_too(tmp_path, publisher, synced):
    target = tmp_path / "deep" / "a.zip"
    with publisher as taking, published(target, publisher=taking) as file:
        file.write(b"content")
    assert target.read_bytes() == b"content"
    assert os.listdir(target.parent) == ["a.zip"]
    assert synced == [("file", []), ("folder", ["a.zip"])]


def test_all_are_safe_before_the_first_has_its_name(tmp_path, synced):
    with Publisher() as publisher:
        for name in ("a.zip", "b.zip"):
            with published(tmp_path / name, publisher=publisher) as file:
                file.write(b"content")
    both = ["a.zip", "b.zip"]
    assert synced == [("file", []), ("file", []), ("folder", both), ("folder", both)]


def test_after_an_error_none_is_published(tmp_path):
    def one_of_many():
        with Publisher() as publisher:
            with published(tmp_path / "a.zip", publisher=publisher) as file:
                file.write(b"content")
            raise ValueError("interrupted")

    with pytest.raises(ValueError, match="interrupted"):
        one_of_many()
    assert os.listdir(tmp_path) == []


def test_what_fails_in_the_block_leaves_what_was_there(tmp_path, publisher):
    target = tmp_path / "a.zip"
    target.write_bytes(b"before")

    def half(taking):
        with published(target, publisher=taking) as file:
            file.write(b"half")
            raise ValueError("half")

    with publisher as taking, pytest.raises(ValueError, match="half"):
        half(taking)
    assert target.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["a.zip"]


def test_one_that_the_disk_does_not_take_fails_alone_and_leaves_nothing(tmp_path, monkeypatch):
    fsync = os.fsync

    def full(descriptor):
        if "bad" in os.readlink(f"/proc/self/fd/{descriptor}"):
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    targets = [tmp_path / name / "a.zip" for name in ("first", "bad", "last")]
    with Publisher() as publisher:
        for target in targets:
            with published(target, publisher=publisher) as file:
                file.write(b"content")
    assert [publisher.failed(target) for target in targets] == [False, True, False]
    assert [target.exists() for target in targets] == [True, False, True]
    assert os.listdir(tmp_path / "bad") == []
    with pytest.raises(OSError, match="No space"), published(targets[1]) as file:
        file.write(b"content")
    assert os.listdir(tmp_path / "bad") == []


def test_no_descriptor_stays_open(tmp_path, publisher):
    def opened():
        return len(os.listdir("/proc/self/fd"))

    before = opened()
    with publisher as taking:
        for number in range(20):
            with published(tmp_path / f"{number}.zip", publisher=taking) as file:
                file.write(b"content")
    assert opened() == before
