"""Downloads of archives over REST: who gets them, whole, in ranges, and with links."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Callable
from datetime import timedelta
from email.parser import BytesParser
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.storage import FileSystemStorage
from django.utils import timezone
from rest_framework.test import APIClient

from backend.apps.authentication.models import User
from backend.apps.exports.models import RepositoryExport
from backend.apps.projects.models import Archive, GeneratedProject, Project, ProjectMembership

pytestmark = pytest.mark.django_db
V1 = "/api/v1"
NewArchive = Callable[..., RepositoryExport]


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def status_of(answer: Any) -> int:
    """Return the status of an answer whose body does not matter. Its end is read: to close it ends the connection."""
    list(getattr(answer, "streaming_content", ()))
    return int(answer.status_code)


def path_of(export: RepositoryExport, what: str = "download") -> str:
    return f"{V1}/exports/{export.pk}/{what}/"


@pytest.mark.parametrize(
    ("format", "media_type"), [("zip", "application/zip"), ("tar", "application/x-tar"), ("tar.gz", "application/gzip")]
)
def test_a_whole_archive(client: APIClient, new_archive: NewArchive, format: str, media_type: str) -> None:
    export = new_archive(format)
    answer = client.get(path_of(export))
    data = body(answer)
    assert answer.status_code == 200
    assert answer["Content-Type"] == media_type
    assert answer["ETag"] == f'"{hashlib.sha256(data).hexdigest()}"'
    assert (answer["Content-Length"], answer["Accept-Ranges"]) == (str(len(data)), "bytes")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cache-Control"] == "private, no-store"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert {"Authorization", "Cookie"} <= set(answer["Vary"].split(", "))
    short = export.commit[:12]
    assert answer["Content-Disposition"] == (
        f"attachment; filename=\"mill-{short}.{format}\"; filename*=UTF-8''Die-M%C3%BChle-{short}.{format}"
    )


def test_the_zip_holds_the_files(client: APIClient, new_archive: NewArchive) -> None:
    with zipfile.ZipFile(io.BytesIO(body(client.get(path_of(new_archive()))))) as archive:
        assert any(name.endswith("src/main.py") for name in archive.namelist())


def test_head_says_the_same_and_sends_nothing(client: APIClient, new_archive: NewArchive) -> None:
    export = new_archive()
    get, head = client.get(path_of(export)), client.head(path_of(export))
    assert (head.status_code, head.content) == (200, b"")
    for name in ("Content-Length", "Content-Type", "ETag", "Content-Disposition", "Accept-Ranges"):
        assert head[name] == get[name]
    ranged = client.head(path_of(export), headers={"Range": "bytes=0-0"})
    assert (ranged.status_code, ranged["Content-Length"]) == (200, get["Content-Length"])
    status_of(get)


@pytest.mark.parametrize("header", ["bytes=3-6", "bytes=5-", "bytes=-7"])
def test_a_range(client: APIClient, new_archive: NewArchive, header: str) -> None:
    export = new_archive()
    whole = body(client.get(path_of(export)))
    wanted = {"bytes=3-6": (3, 7), "bytes=5-": (5, len(whole)), "bytes=-7": (len(whole) - 7, len(whole))}[header]
    answer = client.get(path_of(export), headers={"Range": header})
    assert answer.status_code == 206
    assert answer["Content-Range"] == f"bytes {wanted[0]}-{wanted[1] - 1}/{len(whole)}"
    assert body(answer) == whole[slice(*wanted)]
    assert answer["Content-Length"] == str(wanted[1] - wanted[0])


def test_several_ranges_in_one_answer(client: APIClient, new_archive: NewArchive) -> None:
    export = new_archive()
    whole = body(client.get(path_of(export)))
    answer = client.get(path_of(export), headers={"Range": "bytes=0-3,10-19"})
    data = body(answer)
    assert (answer.status_code, len(data)) == (206, int(answer["Content-Length"]))
    head = f"Content-Type: {answer['Content-Type']}\r\n\r\n".encode()
    parts: Any = BytesParser().parsebytes(head + data).get_payload()
    assert [part["Content-Range"] for part in parts] == [f"bytes 0-3/{len(whole)}", f"bytes 10-19/{len(whole)}"]
    assert [part["Content-Type"] for part in parts] == ["application/zip"] * 2
    assert whole[10:20] in data
    assert not answer.has_header("Content-Range")


def test_ranges_that_cannot_be_had(client: APIClient, new_archive: NewArchive) -> None:
    export = new_archive()
    size = export.archive_size
    answer = client.get(path_of(export), headers={"Range": f"bytes={size}-"})
    assert (answer.status_code, answer["Content-Range"]) == (416, f"bytes */{size}")
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "range_not_satisfiable"
    assert client.get(path_of(export), headers={"Range": "bytes=0-9,5-12"}).status_code == 416
    assert status_of(client.get(path_of(export), headers={"Range": "rows=0-9"})) == 200


def test_a_range_of_something_else_is_answered_with_the_whole(client: APIClient, new_archive: NewArchive) -> None:
    export = new_archive()
    etag = client.head(path_of(export))["ETag"]

    def status(condition: str) -> int:
        headers = {"Range": "bytes=0-3", "If-Range": condition}
        return status_of(client.get(path_of(export), headers=headers))

    assert status(etag) == 206
    assert status('"another"') == 200
    assert status(f"W/{etag}") == 200
    assert status("Tue, 24 Nov 2026 10:00:00 GMT") == 200


def test_who_has_it_already_is_not_sent_it_again(client: APIClient, new_archive: NewArchive) -> None:
    export = new_archive()
    etag = client.head(path_of(export))["ETag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = client.get(path_of(export), headers={"If-None-Match": known, "Range": "bytes=0-3"})
        assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", etag)
        assert answer["Cache-Control"] == "private, no-store"
    assert status_of(client.get(path_of(export), headers={"If-None-Match": '"other"'})) == 200


def test_what_is_not_ready(client: APIClient, generation: GeneratedProject, owner: User) -> None:
    for status in ("pending", "exporting", "failed"):
        export = RepositoryExport.objects.create(
            key=status, generated_project=generation, export_type="zip", status=status, created_by=owner
        )
        answer = client.get(path_of(export))
        assert answer.status_code == 400
        assert answer["Content-Type"] == "application/problem+json"
        assert (answer.json()["code"], answer.json()["export_status"]) == ("export_not_ready", status)
        assert client.post(path_of(export, "link"), {}).json()["code"] == "export_not_ready"
    repository = RepositoryExport.objects.create(
        key="r", generated_project=generation, export_type="github", status="completed", created_by=owner
    )
    assert client.get(path_of(repository)).json()["code"] == "export_not_ready"


def test_a_strangers_archive_is_none(
    stranger: APIClient, viewer: APIClient, client: APIClient, new_archive: NewArchive
) -> None:
    export = new_archive()
    unknown = f"{V1}/exports/{uuid4()}/download/"
    theirs, none = stranger.get(path_of(export)), stranger.get(unknown)
    assert (theirs.status_code, none.status_code) == (404, 404)
    assert theirs.content.replace(str(export.pk).encode(), b"") == none.content.replace(unknown[16:52].encode(), b"")
    assert stranger.post(path_of(export, "link"), {}).status_code == 404
    assert status_of(viewer.get(path_of(export))) == 200
    assert APIClient().get(path_of(export)).status_code == 401
    assert client.get(f"{V1}/exports/..%2Fother%2Fx.zip/download/").status_code == 404


def test_an_archive_that_is_gone_or_another(client: APIClient, new_archive: NewArchive) -> None:
    export = new_archive()
    path = Path(export.archive_path)
    kept = path.read_bytes()
    path.write_bytes(kept[:-1])
    assert client.get(path_of(export)).status_code == 404
    path.unlink()
    answer = client.get(path_of(export))
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    elsewhere = path.with_name("elsewhere")
    elsewhere.write_bytes(kept)
    path.symlink_to(elsewhere)
    assert client.get(path_of(export)).status_code == 404
    path.unlink()
    os.mkfifo(path)
    assert client.get(path_of(export)).status_code == 404


def test_a_download_in_flight_delivers_the_old_one_whole(client: APIClient, new_archive: NewArchive) -> None:
    export = new_archive()
    path = Path(export.archive_path)
    old = path.read_bytes()
    answer = client.get(path_of(export))
    new = path.with_name("new")
    new.write_bytes(b"x" * len(old))
    new.replace(path)
    assert body(answer) == old


def test_a_file_that_shrinks_breaks_the_answer_off(client: APIClient, new_archive: NewArchive) -> None:
    export = new_archive()
    answer = client.get(path_of(export))
    os.truncate(export.archive_path, 10)
    with pytest.raises(OSError, match="shorter"):
        body(answer)


def test_files_are_closed(client: APIClient, new_archive: NewArchive) -> None:
    export = new_archive()
    before = len(os.listdir("/proc/self/fd"))
    for headers in ({}, {"Range": "bytes=0-3"}, {"Range": "bytes=0-0,2-2"}, {"Range": "bytes=999999-"}):
        for _ in range(5):
            status_of(client.get(path_of(export), headers=headers))
            status_of(client.head(path_of(export), headers=headers))
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_link_works_without_a_token(client: APIClient, new_archive: NewArchive) -> None:
    export = new_archive()
    answer = client.post(path_of(export, "link"), {"seconds": 60})
    assert answer.status_code == 201
    url = answer.json()["url"]
    assert url.startswith(f"http://testserver{V1}/downloads/?link=")
    download = APIClient().get(url)
    assert download.status_code == 200
    assert body(download) == Path(export.archive_path).read_bytes()
    assert download["Cache-Control"] == "private, no-store"
    assert APIClient().head(url).status_code == 200
    assert status_of(APIClient().get(url, headers={"Range": "bytes=0-1"})) == 206


@pytest.mark.parametrize("seconds", [0, -1, 86401, "x", None])
def test_a_link_has_an_end(client: APIClient, new_archive: NewArchive, seconds: Any) -> None:
    assert client.post(path_of(new_archive(), "link"), {"seconds": seconds}).status_code == 400


def test_a_link_ends_in_time(client: APIClient, new_archive: NewArchive, monkeypatch: pytest.MonkeyPatch) -> None:
    url = client.post(path_of(new_archive(), "link"), {"seconds": 60}).json()["url"]
    later = timezone.now() + timedelta(seconds=61)
    monkeypatch.setattr("backend.apps.exports.services.links.timezone.now", lambda: later)
    answer = APIClient().get(url)
    assert (answer.status_code, answer.json()["code"]) == (403, "link_expired")


def test_a_link_ends_with_its_makers_rights(
    viewer: APIClient, mill: Project, new_archive: NewArchive, caplog: pytest.LogCaptureFixture
) -> None:
    url = viewer.post(path_of(new_archive(), "link"), {}).json()["url"]
    assert status_of(APIClient().get(url)) == 200
    ProjectMembership.objects.filter(project=mill).delete()
    gone = APIClient().get(url)
    assert gone.status_code == 404
    said = gone.content.decode() + caplog.text
    assert [word for word in ("Mühle", str(mill.pk), url.partition("=")[2]) if word in said] == []
    ProjectMembership.objects.create(project=mill, user=User.objects.get(username="vera"))
    assert status_of(APIClient().get(url)) == 200
    User.objects.filter(username="vera").update(is_active=False)
    assert APIClient().get(url).status_code == 404


def test_a_link_is_for_one_archive(client: APIClient, new_archive: NewArchive) -> None:
    url = client.post(path_of(new_archive(), "link"), {}).json()["url"]
    Archive.objects.update(digest="0" * 64)
    assert APIClient().get(url).json()["code"] == "link_expired"


def test_a_link_cannot_be_changed_or_made(client: APIClient, new_archive: NewArchive, settings: Any) -> None:
    url = client.post(path_of(new_archive(), "link"), {}).json()["url"]
    token = url.partition("?link=")[2]
    for forged in ("", token[:-1], token[1:], token + "A", f"x{token[1:]}", "a:b:c", ":", "x", "\0", "é"):
        answer = APIClient().get(f"{V1}/downloads/", {"link": forged})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    settings.SECRET_KEY = "another"
    assert APIClient().get(url).status_code == 404


def test_the_web_server_in_front_sends_it(client: APIClient, new_archive: NewArchive, settings: Any) -> None:
    settings.ARCHIVES_SENT_BY = "web-server"
    export = new_archive()
    answer = client.get(path_of(export), headers={"X-Accel-Redirect": "/etc/passwd"})
    key = Archive.objects.get().path
    assert (answer["X-Accel-Redirect"], answer.content) == (f"/_archives/{key}", b"")
    assert answer["Content-Disposition"].startswith("attachment; ")
    assert (answer["Content-Type"], answer["X-Content-Type-Options"]) == ("application/zip", "nosniff")
    etag = answer["ETag"]
    assert client.get(path_of(export), headers={"If-None-Match": etag}).status_code == 304
    Path(export.archive_path).unlink()
    assert client.get(path_of(export)).status_code == 404


def test_what_clients_send_moves_no_web_server(client: APIClient, new_archive: NewArchive) -> None:
    headers = {"X-Accel-Redirect": "/etc/passwd", "X-Sendfile": "/etc/passwd"}
    answer = client.get(path_of(new_archive()), headers=headers)
    assert not {"X-Accel-Redirect", "X-Sendfile"} & set(answer.headers)
    status_of(answer)


def test_the_object_storage_sends_it(
    client: APIClient, new_archive: NewArchive, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = new_archive()

    class ObjectStorage:
        def __init__(self) -> None:
            self.files = FileSystemStorage(settings.ARCHIVES_DIR)

        def open(self, name: str, mode: str) -> Any:
            return self.files.open(name, mode)

        def size(self, name: str) -> int:
            return self.files.size(name)

        def url(self, name: str, parameters: dict[str, str] | None = None) -> str:
            said.update(parameters or {})
            return f"https://bucket.example/{name}?signature=1"

    said: dict[str, str] = {}
    for module in ("backend.apps.exports.archive_responses", "backend.apps.projects.services.archive_storage"):
        monkeypatch.setattr(f"{module}.archives_storage", ObjectStorage)
    assert body(client.get(path_of(export), headers={"Range": "bytes=0-3"})) == b"PK\x03\x04"
    settings.ARCHIVES_SENT_BY = "storage"
    answer = client.get(path_of(export))
    assert answer.status_code == 302
    assert answer["Location"].startswith("https://bucket.example/")
    assert answer["Cache-Control"] == "private, no-store"
    assert said["ResponseContentDisposition"].startswith("attachment; ")
