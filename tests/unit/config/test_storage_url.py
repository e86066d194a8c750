"""The address of the storage that hosts share: what it may say, and that its keys are in no error."""

from __future__ import annotations

from typing import Any

import pytest

from backend.config.environment import read
from backend.config.storage_url import storages_of
from backend.errors import ConfigurationError


def options(url: str) -> dict[str, Any]:
    found: dict[str, Any] = storages_of(url)["packs"]["OPTIONS"]
    return found


def test_without_one_nothing_is_kept_elsewhere():
    assert read({}).storage_url == ""
    assert storages_of("") == {}


def test_s3():
    found = options(
        "s3://AK%2F1:s%40cret@bucket/some/prefix?endpoint=https://s3.example.org:9000&region=eu-x&ca=/ca.pem"
    )
    config = found.pop("client_config")
    assert found == {
        "access_key": "AK/1",
        "secret_key": "s@cret",
        "bucket_name": "bucket",
        "endpoint_url": "https://s3.example.org:9000",
        "region_name": "eu-x",
        "verify": "/ca.pem",
        "location": "some/prefix/packs",
        "file_overwrite": True,
        "default_acl": None,
        "max_memory_size": 8 * 1024 * 1024,
    }
    assert (config.signature_version, config.s3) == ("s3v4", {"addressing_style": "path"})


def test_s3_of_the_machines_own_role():
    found = options("s3://bucket")
    assert not {"access_key", "secret_key"} & found.keys()
    assert (found["bucket_name"], found["location"], found["endpoint_url"]) == ("bucket", "packs", None)
    assert found["client_config"].s3 == {"addressing_style": "auto"}


def test_a_folder():
    assert options("file:///mnt/shared%20here/")["location"] == "/mnt/shared here/packs"


@pytest.mark.parametrize(
    "url",
    [
        *("s3://", "s3://KEY@bucket", "s3://:hunter2@bucket", "s3://b?endpoint=ftp://x", "s3://b?endpoint=https://"),
        *(
            "s3://b?secret=hunter2",
            "s3://b?region",
            "file://host/x",
            "file:///",
            "file:///x?y=1",
            "https://hunter2",
            "x",
        ),
        *("s3://K:hunter2@b?endpoint=https://[", "s3://K:hunter2@b?endpoint=https://h:99999"),
        *("s3://K:hunter2@b?endpoint=https://h:x", "s3://K:hunter2@b:9000/x", "s3://K:hun/ter2@b/x"),
    ],
)
def test_what_makes_no_sense_is_refused_without_being_shown(url):
    with pytest.raises(ConfigurationError, match="REPOMILL_STORAGE_URL") as raised:
        read({"REPOMILL_STORAGE_URL": url})
    assert "hunter2" not in f"{raised.value} {raised.value.hint} {raised.value.place}"


def test_it_can_lie_in_a_file(tmp_path):
    file = tmp_path / "url"
    file.write_text("s3://KEY:secret@bucket\n")
    assert read({"REPOMILL_STORAGE_URL_FILE": str(file)}).storage_url == "s3://KEY:secret@bucket"
