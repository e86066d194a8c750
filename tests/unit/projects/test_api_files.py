"""A project's own workspace over REST, and what differs between the states of a project."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from backend.apps.authentication.models import User
from backend.apps.projects.models import GeneratedProject, Project, ProjectMembership
from backend.apps.projects.services.generations import generate
from backend.apps.projects.services.workspace import NewFile
from backend.apps.projects.services.workspace_files import workspace_of
from tests.corpus import rows

pytestmark = pytest.mark.django_db
RAW = "application/octet-stream"


@pytest.fixture
def client(owner: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(owner)
    return client


@pytest.fixture
def files(client: APIClient, demo: Project) -> Files:
    return Files(client, demo)


class Files:
    """The workspace of a project as a client sees it."""

    def __init__(self, client: APIClient, project: Project) -> None:
        self.client = client
        self.base = f"/api/v1/projects/{project.pk}"

    def at(self, path: str, **query: str) -> dict[str, str]:
        return {"path": path, **query}

    def put(self, path: str, data: Any = b"x", *, content_type: str = RAW, **options: Any) -> Any:
        query = options.pop("query", {})
        return self.client.put(
            f"{self.base}/files/content/",
            data,
            content_type=content_type,
            query_params={"path": path, **query},
            **options,
        )

    def put_json(self, path: str, **said: Any) -> Any:
        return self.put(path, json.dumps(said), content_type="application/json")

    def get(self, path: str, **options: Any) -> Any:
        return self.client.get(f"{self.base}/files/content/", {"path": path}, **options)

    def delete(self, path: str, **options: Any) -> Any:
        return self.client.delete(f"{self.base}/files/content/", query_params={"path": path}, **options)

    def read(self, path: str) -> bytes:
        return b"".join(self.get(path).streaming_content)

    def list(self, **query: Any) -> Any:
        return self.client.get(f"{self.base}/files/", query).json()

    def diff(self, **query: Any) -> Any:
        return self.client.get(f"{self.base}/diff/", query)


def etag(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()}"'


def test_a_files_life(files: Files) -> None:
    data = bytes(range(256))
    made = files.put("src/blob.bin", data)
    assert made.status_code == 201, made.content
    assert made.json() == {
        "path": "src/blob.bin",
        "size": 256,
        "executable": False,
        "digest": hashlib.sha256(data).hexdigest(),
        "created": True,
    }
    assert made["ETag"] == etag(data)
    answer = files.get("src/blob.bin")
    assert (answer["ETag"], answer["Content-Type"], answer["Cache-Control"]) == (etag(data), RAW, "private, no-cache")
    assert b"".join(answer.streaming_content) == data
    again = files.put("src/blob.bin", b"other")
    assert (again.status_code, again.json()["created"], files.read("src/blob.bin")) == (200, False, b"other")
    assert files.delete("src/blob.bin").status_code == 204
    assert files.get("src/blob.bin").status_code == files.delete("src/blob.bin").status_code == 404


def test_pages_are_text(files: Files) -> None:
    files.put("index.html", b"<script>alert(1)</script>", content_type="text/html")
    answer = files.get("index.html")
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer["Content-Disposition"] == 'attachment; filename="index.html"'
    list(answer.streaming_content)
    assert files.get("index.html", headers={"If-None-Match": answer["ETag"]}).status_code == 304
    part = files.get("index.html", headers={"Range": "bytes=0-3"})
    assert (part.status_code, b"".join(part.streaming_content)) == (206, b"<scr")


@pytest.mark.parametrize(
    "content_type", [RAW, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_the_body_is_the_content_whatever_its_type(files: Files, content_type: str) -> None:
    data = b'a=b&c=%00\r\n\0--{"content": "no"}'
    assert files.put("f", data, content_type=content_type).status_code == 201
    assert files.read("f") == data


def test_an_empty_file(files: Files) -> None:
    assert files.put("empty", b"").json()["size"] == 0
    assert files.read("empty") == b""


def test_content_inside_json(files: Files) -> None:
    assert files.put_json("a.txt", content="ü\n").status_code == 201
    assert files.read("a.txt") == "ü\n".encode()
    files.put_json("a.bin", content=base64.b64encode(b"\0\xff").decode(), encoding="base64", executable=True)
    assert files.read("a.bin") == b"\0\xff"
    assert {each["path"]: each["executable"] for each in files.list()["results"]} == {"a.bin": True, "a.txt": False}
    wrong: dict[str, Any]
    for wrong in ({}, {"content": []}, {"content": "x", "mode": 7}, {"content": "%%", "encoding": "base64"}):
        assert files.put_json("b", **wrong).status_code == 400
    assert files.put_json("b", content="x", encoding="rot13").status_code == 400
    assert files.put("b", b"{", content_type="application/json").status_code == 400
    assert files.get("b").status_code == 404


def test_a_mode_stays_unless_it_is_said(files: Files) -> None:
    assert files.put("run.sh", query={"executable": "true"}).json()["executable"] is True
    assert files.put("run.sh", b"y").json()["executable"] is True
    assert files.put("run.sh", b"y", query={"executable": "false"}).json()["executable"] is False


def test_writes_over_what_was_read_alone(files: Files) -> None:
    files.put("f", b"one")
    refused = files.put("f", b"two", headers={"If-Match": etag(b"other")})
    assert (refused.status_code, refused.json()["code"]) == (412, "precondition_failed")
    assert refused.json()["digest"] == etag(b"one").strip('"')
    assert files.put("f", b"two", headers={"If-Match": f"W/{etag(b'one')}"}).status_code == 412
    assert files.put("f", b"two", headers={"If-None-Match": "*"}).status_code == 412
    assert files.put("g", b"two", headers={"If-Match": "*"}).status_code == 412
    assert files.delete("f", headers={"If-Match": etag(b"other")}).status_code == 412
    assert (files.read("f"), files.get("g").status_code) == (b"one", 404)
    assert files.put("f", b"two", headers={"If-Match": f'"x", {etag(b"one")}'}).status_code == 200
    assert files.put("f", b"three", headers={"If-Match": "*"}).status_code == 200
    assert files.put("g", b"new", headers={"If-None-Match": "*"}).status_code == 201
    assert files.delete("f", headers={"If-Match": etag(b"three")}).status_code == 204


def test_a_repeated_write_is_done_once(files: Files) -> None:
    first = files.put("f", b"one", headers={"Idempotency-Key": "k"})
    files.put("f", b"two")
    again = files.put("f", b"one", headers={"Idempotency-Key": "k"})
    assert (again.json(), again["Idempotency-Replayed"], files.read("f")) == (first.json(), "true", b"two")
    assert again["ETag"] == first["ETag"] == etag(b"one")


@pytest.mark.parametrize(
    "other", [{}, {"If-Match": etag(b"two")}, {"If-None-Match": "*"}, {"If-Match": etag(b"one"), "If-None-Match": "*"}]
)
def test_a_key_is_for_a_write_over_one_version(files: Files, other: dict[str, str]) -> None:
    files.put("f", b"one")
    key, over = {"Idempotency-Key": "k"}, {"If-Match": etag(b"one")}
    assert files.put("f", b"new", headers=key | over).status_code == 200
    assert files.put("f", b"new", headers=key | over)["Idempotency-Replayed"] == "true"
    refused = files.put("f", b"new", headers=key | other)
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("name", ["own/must_reject_paths", "own/must_accept_paths"])
def test_the_corpus_of_paths(files: Files, demo: Project, name: str) -> None:
    wrong = []
    accepted = "accept" in name
    for row in rows(name):
        path = row["value"]
        try:
            path.encode()
        except UnicodeEncodeError:
            # No query says this.
            continue
        workspace_of(demo).remove()
        answer = files.put(path, b"x")
        ok = answer.status_code == 201 if accepted else answer.status_code == 400
        if accepted and ok:
            ok = files.read(path) == b"x"
        elif not accepted:
            ok = ok and files.get(path).status_code in {400, 404} and files.list()["results"] == []
        if not ok:
            wrong.append((row["id"], path, answer.status_code))
    assert wrong == []


def test_links_are_not_followed(files: Files, demo: Project, tmp_path: Path) -> None:
    files.put("f", b"x")
    root = workspace_of(demo).root
    (tmp_path / "secret").write_text("secret")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "dir").symlink_to(tmp_path)
    for path in ("link", "dir/secret"):
        assert files.get(path).status_code == 400
        assert files.put(path, b"x").status_code == 400
        assert files.delete(path).status_code == 400
    assert (tmp_path / "secret").read_text() == "secret"


def test_quotas_and_large_bodies(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.apps.projects.file_api.WorkspaceFileViewSet.largest_body", 10)
    answer = files.put("f", b"x" * 11)
    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")
    assert files.put("f", b"x" * 10).status_code == 201
    deep = "/".join("d" * 40)
    assert files.put(deep, b"x").json()["code"] == "quota_exceeded"


def test_another_writer_is_waited_for(files: Files, demo: Project) -> None:
    files.put("f", b"x")
    with workspace_of(demo).writing():
        answer = files.put("f", b"y")
        assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "workspace_busy", "2")
        assert files.read("f") == b"x"


def test_lists_go_on_where_they_ended(files: Files, client: APIClient, demo: Project) -> None:
    assert files.list() == {"next": None, "results": []}
    names = [f"src/{n:03}.txt" for n in range(25)] + ["README.md", "srcx"]
    workspace_of(demo).write_many(NewFile(name, b"12") for name in names)
    found: list[str] = []
    page = files.list(limit=10)
    while True:
        found += [each["path"] for each in page["results"]]
        if page["next"] is None:
            break
        page = client.get(page["next"]).json()
    assert found == sorted(names)
    assert [each["path"] for each in files.list(prefix="src/", limit=2)["results"]] == names[:2]
    assert len(files.list(prefix="src/", limit=25)["results"]) == 25
    assert files.list(prefix="src/", limit=25)["next"] is None
    assert files.list(limit=1)["results"] == [{"path": "README.md", "size": 2, "executable": False}]
    for wrong in ({"limit": 0}, {"limit": 1001}, {"limit": "x"}):
        assert client.get(f"{files.base}/files/", wrong).status_code == 400


def test_rights(files: Files, demo: Project) -> None:
    files.put("f", b"x")
    viewer, stranger = User.objects.create(username="viewer"), User.objects.create(username="stranger")
    ProjectMembership.objects.create(project=demo, user=viewer, role="viewer")
    clients = {}
    for user in (viewer, stranger):
        clients[user.username] = APIClient()
        clients[user.username].force_authenticate(user)
    seen, unseen = Files(clients["viewer"], demo), Files(clients["stranger"], demo)
    assert (seen.read("f"), len(seen.list()["results"]), seen.diff(new="workspace").status_code) == (b"x", 1, 200)
    assert seen.put("f").status_code == seen.delete("f").status_code == 403
    for answer in (unseen.get("f"), unseen.put("f"), unseen.delete("f"), unseen.diff(), unseen.get("../x")):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert clients["stranger"].get(f"{files.base}/files/").status_code == 404
    assert clients["stranger"].get(f"{files.base}/diff/patch/").status_code == 404
    assert Files(APIClient(), demo).get("f").status_code == 401


def test_differences_of_generations(files: Files, client: APIClient, demo: Project, owner: User) -> None:
    assert files.diff().status_code == 404
    make: dict[str, Any] = {"project": demo, "user": owner, "execution_id": None}
    first = generate(**make, readme="# one\n", files=[{"path": "a", "content": "1\n"}])
    second = generate(**make, readme="# two\n", files=[{"path": "b", "content": "2\n"}])
    shown = files.diff().json()
    assert (shown["old"], shown["new"]) == (first["commit"], second["commit"])
    assert (shown["added"], shown["changed"], shown["removed"]) == (1, 1, 1)
    assert [(each["path"], each["status"], each["lines_added"]) for each in shown["files"]] == [
        ("README.md", "changed", 1),
        ("a", "removed", 0),
        ("b", "added", 1),
    ]
    assert files.diff(old=first["generation"]).json()["old"] is None
    assert files.diff(old=second["commit"][:8], new=first["commit"][:8]).json()["added"] == 1
    assert files.diff(old="abcd").status_code == 404
    patch: Any = client.get(f"{files.base}/diff/patch/")
    text = b"".join(patch.streaming_content).decode()
    assert "-# one\n+# two\n" in text
    assert patch["Content-Type"] == "text/x-diff; charset=utf-8"
    assert patch["Content-Disposition"].startswith('attachment; filename="demo-')
    assert client.get(f"{files.base}/diff/patch/", {"new": "workspace"}).status_code == 400


def test_differences_of_the_workspace(files: Files, demo: Project, owner: User) -> None:
    files.put("a", b"1\n")
    alone = files.diff(new="workspace").json()
    assert (alone["old"], alone["new"], alone["added"]) == (None, "workspace", 1)
    kept = [{"path": path, "content": f"{path}\n"} for path in ("gone", "mode", "same", "size", "text")]
    made = generate(project=demo, user=owner, execution_id=None, files=kept)
    for path, data in (("same", b"same\n"), ("text", b"TEXT\n"), ("size", b"longer\n")):
        files.put(path, data)
    files.put("mode", b"mode\n", query={"executable": "true"})
    shown = files.diff(new="workspace").json()
    assert shown["old"] == made["commit"]
    assert [(each["path"], each["status"], each["mode_changed"]) for each in shown["files"]] == [
        ("a", "added", False),
        ("gone", "removed", False),
        ("mode", "changed", True),
        ("size", "changed", False),
        ("text", "changed", False),
    ]
    assert files.diff(new="workspace", old=made["generation"]).json() == shown
    assert files.diff(new="workspace", old="abcd").status_code == 400
    GeneratedProject.objects.update(content_digest="x")
    assert files.diff(new="workspace").status_code == 409
