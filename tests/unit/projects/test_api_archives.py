"""Archives as a way into a workspace: all of their files or none, and nothing that no project can hold."""

from __future__ import annotations

import gzip
import io
import random
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from backend.apps.authentication.models import User
from backend.apps.projects import archive_api
from backend.apps.projects.errors import InvalidArchive, InvalidPath, QuotaExceeded
from backend.apps.projects.models import Project
from backend.apps.projects.services import archive_formats
from backend.apps.projects.services.archive_formats import unpack_tar, unpack_zip
from backend.apps.projects.services.limits import Limits
from backend.apps.projects.services.unpacking import Unpacking
from backend.apps.projects.services.workspace_files import workspace_of
from tests.corpus import rows

pytestmark = pytest.mark.django_db
ZIP, TAR, TGZ = "application/zip", "application/x-tar", "application/gzip"
Build = Callable[[], bytes]
Fault = Callable[[bytes], bytes]


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", method) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return body.getvalue()


def named(name: str, mode: int = 0o100644, *, data: bytes = b"x") -> tuple[zipfile.ZipInfo, bytes]:
    entry = zipfile.ZipInfo(name)
    # The constructor cuts at a NUL; what is written is this one.
    entry.filename = name
    entry.external_attr = mode << 16
    return entry, data


def tarred(*entries: tuple[str, bytes] | tarfile.TarInfo, format: int = tarfile.PAX_FORMAT) -> bytes:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:", format=format) as archive:
        for each in entries:
            if isinstance(each, tarfile.TarInfo):
                archive.addfile(each)
                continue
            entry = tarfile.TarInfo(each[0])
            entry.size = len(each[1])
            archive.addfile(entry, io.BytesIO(each[1]))
    return body.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


def changed(old: bytes, new: bytes) -> Fault:
    def change(body: bytes) -> bytes:
        assert old in body
        return body.replace(old, new)

    return change


def with_flags(body: bytes, flags: int) -> bytes:
    """Return a zip of one entry with other flags, in both of its headers."""
    central = body.index(b"PK\1\2")
    told = struct.pack("<H", flags)
    return told.join([body[:6], body[8 : central + 8], body[central + 10 :]])


@pytest.fixture
def send(owner: User, demo: Project) -> Callable[..., Any]:
    client = APIClient()
    client.force_authenticate(owner)
    path = f"/api/v1/projects/{demo.pk}/files/archive/"
    return lambda body, kind=ZIP, **headers: client.post(path, body, content_type=kind, headers=headers)


def held(project: Project) -> dict[str, bytes]:
    """Return what is in the project's workspace."""
    root = workspace_of(project).root
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


FILES = [
    ("README.md", b"# Mill\n"),
    ("src/a.py", bytes(range(256)) * 5),
    ("src/empty", b""),
    ("src/block", b"b" * 1024),
]


@pytest.mark.parametrize("format", ["zip", "stored", "tar", "ustar", "gnu", "tar.gz", "two parts"])
def test_all_files_of_an_archive_are_written(send: Callable[..., Any], demo: Project, format: str) -> None:
    workspace_of(demo).write("README.md", b"old")
    workspace_of(demo).write("kept", b"kept")
    body, kind = {
        "zip": (zipped(*FILES, ("empty/", b"")), ZIP),
        "stored": (zipped(*FILES, ("empty/", b""), method=zipfile.ZIP_STORED), ZIP),
        "tar": (tarred(*FILES, special("empty", tarfile.DIRTYPE)), TAR),
        "ustar": (tarred(*FILES, special("empty", tarfile.DIRTYPE), format=tarfile.USTAR_FORMAT), TAR),
        "gnu": (tarred(*FILES, special("empty", tarfile.DIRTYPE), format=tarfile.GNU_FORMAT), TAR),
        # As `tar -c .` names them.
        "tar.gz": (
            gzip.compress(
                tarred(
                    special(".", tarfile.DIRTYPE),
                    *((f"./{name}", data) for name, data in FILES),
                    special("./empty", tarfile.DIRTYPE),
                )
            ),
            TGZ,
        ),
        "two parts": (
            b"".join(
                gzip.compress(part)
                for part in (lambda whole: (whole[:700], whole[700:]))(
                    tarred(*FILES, special("empty", tarfile.DIRTYPE))
                )
            ),
            "application/x-gzip",
        ),
    }[format]
    answer = send(body, kind)
    assert answer.status_code == 200, answer.content
    size = sum(len(data) for _, data in FILES)
    assert answer.json() == {"files": 4, "directories": 2, "replaced": 1, "size": size}
    assert held(demo) == dict(FILES) | {"kept": b"kept"}
    assert (workspace_of(demo).root / "empty").is_dir()
    assert send(body, kind).json()["replaced"] == 4


def test_an_archive_that_is_sent_twice_with_one_key_is_written_once(send: Callable[..., Any], demo: Project) -> None:
    # Made once: an archive tells when it was made.
    body = zipped(*FILES)
    first = send(body, **{"Idempotency-Key": "k"})
    workspace_of(demo).write("README.md", b"newer")
    again = send(body, **{"Idempotency-Key": "k"})
    assert (first.status_code, again.status_code, again.json()) == (200, 200, first.json())
    assert held(demo)["README.md"] == b"newer"


def test_what_can_be_executed_stays_so_and_nothing_else_of_a_mode(send: Callable[..., Any], demo: Project) -> None:
    assert send(zipped(named("run", 0o104777), named("plain", 0o100666))).status_code == 200
    script = tarfile.TarInfo("script")
    script.mode = 0o4711
    assert send(tarred(script), TAR).status_code == 200
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in workspace_of(demo).root.iterdir()}
    assert modes == {"run": 0o755, "plain": 0o644, "script": 0o755}


def test_a_large_archive_is_written_as_it_is(send: Callable[..., Any], demo: Project) -> None:
    files = [(f"d{number % 7}/f{number}", random.Random(number).randbytes(number * 50)) for number in range(300)]
    for body, kind in ((zipped(*files), ZIP), (gzip.compress(tarred(*files)), TGZ)):
        assert send(body, kind).json()["files"] == 300
        assert held(demo) == dict(files)


GOOD = ("good.txt", b"good")
ONE = tarred(("a.txt", b"a" * 2000))
DEVICES = (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE, b"Z")
# The body, its type, the error's code, and what else the problem says.
HOSTILE: dict[str, tuple[Build, str, str, dict[str, str]]] = {
    "zip: up": (lambda: zipped(GOOD, ("../up", b"x")), ZIP, "invalid_path", {"path": "../up", "rule": "dotdot"}),
    "zip: up inside": (lambda: zipped(GOOD, ("a/../../up", b"x")), ZIP, "invalid_path", {"rule": "dotdot"}),
    "zip: absolute": (lambda: zipped(GOOD, ("/etc/x", b"x")), ZIP, "invalid_path", {"rule": "absolute"}),
    "zip: drive": (lambda: zipped(GOOD, ("C:\\x", b"x")), ZIP, "invalid_path", {"path": "C:\\x"}),
    "zip: NUL": (lambda: zipped(GOOD, named("a.txt\0.png")), ZIP, "invalid_path", {"rule": "control-character"}),
    "zip: .git": (lambda: zipped(GOOD, (".git/config", b"x")), ZIP, "invalid_path", {"rule": "dotgit"}),
    "zip: .GIT below": (lambda: zipped(GOOD, ("a/.GIT/config", b"x")), ZIP, "invalid_path", {"rule": "dotgit"}),
    "zip: .gitmodules": (lambda: zipped(GOOD, (".gitmodules", b"x")), ZIP, "invalid_path", {}),
    "zip: link": (lambda: zipped(GOOD, named("l", 0o120777, data=b"/etc")), ZIP, "invalid_path", {"rule": "link"}),
    "zip: device": (lambda: zipped(GOOD, named("l", 0o060644)), ZIP, "invalid_path", {"rule": "special-file"}),
    "zip: directory with no slash": (lambda: zipped(GOOD, named("d", 0o040755, data=b"")), ZIP, "invalid_path", {}),
    "zip: directory with bytes": (lambda: zipped(GOOD, named("d/", 0o100644)), ZIP, "invalid_path", {"path": "d"}),
    "zip: collision": (lambda: zipped(("A", b"x"), ("a", b"x")), ZIP, "invalid_path", {"rule": "collision"}),
    "zip: file and directory": (lambda: zipped(("a", b"x"), ("a/b", b"x")), ZIP, "invalid_path", {}),
    "zip: encrypted": (lambda: with_flags(zipped(GOOD), 1), ZIP, "invalid_archive", {"path": "good.txt"}),
    "zip: other compression": (
        *(lambda: zipped(GOOD, method=zipfile.ZIP_BZIP2), ZIP, "invalid_archive"),
        {"path": "good.txt", "expected": "stored or deflated"},
    ),
    "zip: cut": (lambda: zipped(GOOD, *FILES)[:-30], ZIP, "invalid_archive", {}),
    "zip: damaged": (
        *(lambda: changed(b"good", b"evil")(zipped(GOOD, method=zipfile.ZIP_STORED)), ZIP, "invalid_archive"),
        {},
    ),
    "zip: two names for one": (
        *(lambda: zipped(GOOD).replace(b"good.txt", b"evil.txt", 1), ZIP, "invalid_archive"),
        {},
    ),
    "zip: bomb": (lambda: zipped(("z", bytes(40 * 2**20))), ZIP, "invalid_archive", {"path": "z"}),
    "zip: a file too large": (lambda: zipped(("z", bytes(2**26 + 1))), ZIP, "quota_exceeded", {"path": "z"}),
    "zip: too deep": (lambda: zipped(("a/" * 40 + "f", b"")), ZIP, "quota_exceeded", {"limit": "depth"}),
    "zip: none": (lambda: b"PK nothing", ZIP, "invalid_archive", {}),
    "zip: a tar": (lambda: ONE, ZIP, "invalid_archive", {}),
    "zip: empty body": (lambda: b"", ZIP, "invalid_archive", {}),
    "tar: up": (lambda: tarred(GOOD, ("../up", b"x")), TAR, "invalid_path", {"path": "../up", "rule": "dotdot"}),
    "tar: up after a dot": (lambda: tarred(GOOD, ("./../up", b"x")), TAR, "invalid_path", {"rule": "dotdot"}),
    "tar: absolute": (lambda: tarred(GOOD, ("/etc/x", b"x")), TAR, "invalid_path", {"rule": "absolute"}),
    "tar: absolute after a dot": (lambda: tarred(GOOD, (".//etc/x", b"x")), TAR, "invalid_path", {"rule": "absolute"}),
    "tar: .git": (lambda: tarred(GOOD, ("./.git/config", b"x")), TAR, "invalid_path", {"rule": "dotgit"}),
    "tar: not unicode": (lambda: tarred(GOOD, ("a\udcff", b"x")), TAR, "invalid_path", {"rule": "not-unicode"}),
    "tar: duplicate": (lambda: tarred(GOOD, GOOD), TAR, "invalid_path", {"path": "good.txt", "rule": "duplicate"}),
    "tar: duplicate after a dot": (
        *(lambda: tarred(GOOD, ("./good.txt", b"x")), TAR, "invalid_path"),
        {"rule": "duplicate"},
    ),
    "tar: link": (
        *(lambda: tarred(GOOD, special("l", tarfile.SYMTYPE, "/etc")), TAR, "invalid_path"),
        {"path": "l", "rule": "link"},
    ),
    "tar: link and through it": (
        *(lambda: tarred(special("l", tarfile.SYMTYPE, ".."), ("l/x", b"x")), TAR, "invalid_path"),
        {"rule": "link"},
    ),
    "tar: hard link": (
        *(lambda: tarred(GOOD, special("l", tarfile.LNKTYPE, "good.txt")), TAR, "invalid_path"),
        {"rule": "hard-link"},
    ),
    "tar: cut in a header": (lambda: ONE[:300], TAR, "invalid_archive", {}),
    "tar: cut in the bytes": (lambda: ONE[:1500], TAR, "invalid_archive", {}),
    "tar: cut after an entry": (lambda: ONE[: 512 + 2048], TAR, "invalid_archive", {}),
    "tar: rubbish after an entry": (
        *(lambda: tarred(GOOD)[:1024] + b"\1" * 512 + ONE, TAR, "invalid_archive"),
        {},
    ),
    "tar: none": (lambda: b"x" * 2048, TAR, "invalid_archive", {}),
    "tar: empty body": (lambda: b"", TAR, "invalid_archive", {}),
    "tar.gz: up": (lambda: gzip.compress(tarred(("../up", b"x"))), TGZ, "invalid_path", {"path": "../up"}),
    "tar.gz: cut": (lambda: gzip.compress(ONE)[:-9], TGZ, "invalid_archive", {}),
    "tar.gz: damaged": (lambda: gzip.compress(ONE)[:-8] + bytes(8), TGZ, "invalid_archive", {}),
    "tar.gz: bomb": (lambda: gzip.compress(bytes(40 * 2**20)), TGZ, "invalid_archive", {}),
    "tar.gz: no gzip": (lambda: ONE, TGZ, "invalid_archive", {}),
}
HOSTILE |= {
    f"tar: type {kind!r}": (
        *((lambda kind=kind: tarred(GOOD, special("l", kind))), TAR, "invalid_path"),
        {"path": "l", "rule": "special-file"},
    )
    for kind in DEVICES
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_no_project_can_hold_is_refused_and_nothing_is_written(
    send: Callable[..., Any], demo: Project, case: str
) -> None:
    build, kind, code, members = HOSTILE[case]
    workspace_of(demo).write("there", b"there")
    answer = send(build(), kind)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, code), problem
    assert {name: problem.get(name) for name in members} == members
    assert held(demo) == {"there": b"there"}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_a_zip_has_twice_is_refused(send: Callable[..., Any], demo: Project) -> None:
    answer = send(zipped(GOOD, GOOD))
    assert (answer.status_code, answer.json()["rule"]) == (400, "duplicate")
    assert held(demo) == {}


def test_what_is_there_counts_as_well(send: Callable[..., Any], demo: Project) -> None:
    workspace_of(demo).write("Good.TXT", b"there")
    answer = send(zipped(("a", b"a"), GOOD))
    assert (answer.json()["rule"], answer.json()["other"]) == ("collision", "Good.TXT")
    assert held(demo) == {"Good.TXT": b"there"}


@pytest.mark.parametrize("name", ["own/must_reject_paths", "own/must_accept_paths", "third_party/paths_traversal"])
def test_the_names_of_the_corpus_get_in_or_not_as_by_every_other_door(name: str) -> None:
    wrong, tried = [], 0
    for row in rows(name):
        path, expected = row["value"], row.get("expected") or row["expected_fs"]
        # With a slash at its end it is a directory's, and what is no text no zip can name.
        if not path or path.endswith("/") or not path.isprintable() or expected not in {"accept", "reject"}:
            continue
        found = Unpacking(archive_bytes=1000, limits=Limits())
        try:
            unpack_zip(io.BytesIO(zipped(named(path))), io.BytesIO(), found)
        except (InvalidPath, QuotaExceeded):
            accepted = False
        else:
            accepted = [file.path for file in found.files] == [path]
        tried += 1
        if accepted != (expected == "accept"):
            wrong.append((row["id"], path, expected))
    assert tried > 20
    assert not wrong


def test_what_an_archive_says_of_itself_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list or a header is not read at once because the archive says that it is so long."""
    monkeypatch.setattr(archive_formats, "LONGEST_DIRECTORY", 100_000)
    many = zipped(*((f"f{number}", b"") for number in range(3000)))
    name = tarred(("n" * 3_000_000, b""), format=tarfile.GNU_FORMAT)
    for unpack, body in ((unpack_zip, many), (unpack_tar, name)):
        with pytest.raises(InvalidArchive, match="larger than"):
            unpack(io.BytesIO(body), io.BytesIO(), Unpacking(archive_bytes=10**6, limits=Limits()))


@pytest.mark.parametrize(
    "body",
    [
        # Headers that stand for the next one, without end; and a size that leads back to the beginning.
        tarred(special("x", tarfile.XHDTYPE))[:512] * 5000,
        tarred(GOOD)[:1024] + tarred(special("x", tarfile.XHDTYPE))[:512] * 5000,
    ],
    ids=["nothing but", "after a file"],
)
def test_headers_without_end_have_one(body: bytes) -> None:
    with pytest.raises(InvalidArchive):
        unpack_tar(io.BytesIO(body), io.BytesIO(), Unpacking(archive_bytes=len(body), limits=Limits()))


def test_a_size_below_nothing_leads_nowhere() -> None:
    """Python's reader goes back by it, and round in circles."""
    header = bytearray(tarred(GOOD)[:512])
    header[124:136] = (-1024 & (2**96 - 1)).to_bytes(12, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    body = tarred(("first", b"1"))[:1024] + bytes(header) + bytes(1024)
    with pytest.raises((InvalidArchive, InvalidPath)):
        unpack_tar(io.BytesIO(body), io.BytesIO(), Unpacking(archive_bytes=len(body), limits=Limits()))


def test_an_archive_that_is_too_large_is_none(send: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_api, "LARGEST_ARCHIVE", 100)
    answer = send(zipped(*FILES))
    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")


@pytest.mark.parametrize("kind", ["application/json", "application/octet-stream", "multipart/form-data; boundary=x"])
def test_another_type_is_not_taken(send: Callable[..., Any], kind: str) -> None:
    assert send(zipped(GOOD), kind).status_code == 415
