"""Which remotes are pushed to, how a repository on this machine is found or made, and what failures mean."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend.apps.projects.errors import Diverged, RepositoryExists
from backend.apps.projects.hosts.addresses import local_address, remote_address, valid_branch
from backend.apps.projects.hosts.git import GitHost, push_commit
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.repository_exporter import RepositoryExporter
from backend.apps.projects.services.workspace import Workspace
from backend.errors import InvalidInput, RemoteRefused, RemoteUnreachable
from backend.origins import is_loopback
from tests.commits import commit_all

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(autouse=True)
def root(settings, tmp_path):
    settings.LOCAL_REPOSITORIES_DIR = tmp_path / "repositories"
    settings.GIT_STORES_DIR = tmp_path / "stores"
    settings.GENERATED_PROJECTS_DIR = tmp_path / "generated"
    return tmp_path / "repositories"


@pytest.fixture
def store(tmp_path):
    return GitStore(tmp_path / "store.git")


def commit(store: GitStore, folder: Path, content: bytes, *, parent: str | None = None) -> str:
    workspace = Workspace(folder)
    workspace.write("a.txt", content)
    return commit_all(store, workspace, message="Generate", parent=parent, when=WHEN).commit


def push(store: GitStore, commit: str, **options):
    host = GitHost(**options)
    return host.push(target=host.find_or_create(), store=store, commit=commit)


def branches(path: Path) -> dict[str, str]:
    done = subprocess.run(
        ["git", "--git-dir", str(path), "for-each-ref", "--format=%(refname) %(objectname)"],
        check=True,
        capture_output=True,
        text=True,
    )
    return dict(line.split() for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    ("url", "asked", "origin", "name"),
    [
        ("https://example.org/o/r.git", "https://example.org/o/r.git", "https://example.org", "o/r"),
        ("HTTPS://Example.ORG:443/o/R", "https://example.org/o/R", "https://example.org", "o/R"),
        ("https://example.org:8443/r/", "https://example.org:8443/r", "https://example.org:8443", "r"),
        ("http://127.0.0.1:9/r.git", "http://127.0.0.1:9/r.git", "http://127.0.0.1:9", "r"),
        ("http://localhost:80/r.git", "http://localhost/r.git", "http://localhost", "r"),
        ("http://[::1]:9/r.git", "http://[::1]:9/r.git", "http://[::1]:9", "r"),
        (
            "https://example.org/~user/a+b_c-d.e",
            "https://example.org/~user/a+b_c-d.e",
            "https://example.org",
            "~user/a+b_c-d.e",
        ),
    ],
)
def test_urls_that_are_pushed_to(url, asked, origin, name):
    address = remote_address(url)
    assert (address.url, address.origin, address.name, address.path) == (asked, origin, name, None)
    assert address.protocol == origin.split(":")[0]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "https://example.org",
        "https://example.org/",
        "https://user@example.org/r",
        "https://user:pass@example.org/r",
        "https://example.org@evil.invalid/r",
        "http://example.org/r",
        "http://127.0.0.1.evil.invalid/r",
        "http://169.254.169.254/r",
        "http://10.0.0.1/r",
        "ssh://example.org/r",
        "git@example.org:o/r.git",
        "git://example.org/r",
        "ext::sh -c id",
        "EXT::sh",
        "fd::17/x",
        "--upload-pack=id",
        "-u",
        "https://example.org/a/../b",
        "https://example.org/a/./b",
        "https://example.org//r",
        "https://example.org/r?x=1",
        "https://example.org/r#x",
        "https://example.org/%2e%2e/r",
        "https://example.org/r\n",
        "https://example.org/r\r\nHost: x",
        "https://example.org/a b",
        "https://example.org\\@evil.invalid/r",
        "https://example.org:0/r",
        "https://example.org:99999/r",
        "https://exa\u043cple.org/r",
        "https://example.org/$HOME",
        "https://example.org/" + "a" * 2000,
        "/etc",
        "/",
        "file:///etc",
        "file://",
        "file://host/share",
        "relative/path",
        "../up",
    ],
)
def test_what_is_not_pushed_to(url):
    with pytest.raises(InvalidInput) as refused:
        remote_address(url)
    assert refused.value.hint
    assert len(refused.value.message) < 500


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.0.0.5", "2130706433", "0177.0.0.1", "10.0.0.5."]
)
def test_addresses_are_pushed_to_only_where_the_operator_allows_it(settings, host):
    settings.GIT_INTERNAL_HOSTS = []
    with pytest.raises(InvalidInput, match=r"REPOMILL_GIT_INTERNAL_HOSTS|not an address"):
        remote_address(f"https://{host}/team/hello.git")
    settings.GIT_INTERNAL_HOSTS = ["10.0.0.5"]
    if host == "10.0.0.5":
        assert remote_address(f"https://{host}/team/hello.git").origin == "https://10.0.0.5"


def test_an_address_in_an_error_shows_no_password():
    with pytest.raises(InvalidInput) as refused:
        remote_address("https://git:CANARY@example.org/r")
    assert "CANARY" not in str(refused.value.as_json())


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("localhost", True), ("127.9.9.9", True), ("[::1]", True), ("0.0.0.0", False), ("10.0.0.1", False), ("x", False)],
)
def test_loopback(host, loopback):
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("hello", "hello.git"),
        ("hello.git", "hello.git"),
        ("team/hello.git", "team/hello.git"),
        ("a/b/c/d/e", "a/b/c/d/e.git"),
        ("_x/1.2", "_x/1.2.git"),
    ],
)
def test_names_on_this_machine(root, given, path):
    assert local_address(given).path == root / path
    assert remote_address(str(root / path)) == local_address(given)
    assert remote_address(f"file://{root / path}") == local_address(given)


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "../x", "a/../b", "/abs", "a//b", "a/", "-x", "--bare", ".git", ".hidden", "x.git/hooks",
        "a.lock", "a b", "a\nb", "a\0b", "a:b", "\u00fc", "$(id)", "a/b/c/d/e/f", "x" * 101, "a./b", "x.GIT/y", "https://h/r",
    ],
)  # fmt: skip
def test_names_that_are_refused(name):
    with pytest.raises(InvalidInput):
        local_address(name)


@pytest.mark.parametrize("place", ["repository", "folder above"])
def test_a_repository_behind_a_link_is_refused(root, tmp_path, place):
    outside = tmp_path / "outside"
    outside.mkdir()
    root.mkdir()
    if place == "repository":
        (root / "x.git").symlink_to(outside)
    else:
        (root / "x").symlink_to(outside)
    with pytest.raises(InvalidInput, match="link"):
        GitHost(repository_name="x" if place == "repository" else "x/y")
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(
    "branch", ["main", "release/1.0", "feature/x", "NEW_HEAD", "a-b_c.d", "deadbeef", "heads/main"]
)
def test_branches(branch):
    assert valid_branch(branch) == branch


@pytest.mark.parametrize(
    "branch",
    [
        "", "-x", "refs/heads/main", "refs", "HEAD", "FETCH_HEAD", "a..b", "a.lock", "a.lock/b", ".a", "a/.b", "a.",
        "a/", "/a", "a//b", "a b", "a~1", "a^", "a:b", "a?b", "a*b", "a[b", "a\\b", "@", "@{-1}", "a@{b", "a" * 40,
        "0" * 64, "x" * 201,
        "\u00e4", "a\0b", "a\nb", "a;id", "$(id)", "+main", "main:other",
    ],
)  # fmt: skip
def test_branches_that_are_refused(branch):
    with pytest.raises(InvalidInput) as refused:
        valid_branch(branch)
    assert refused.value.place["field"] == "branch"


@pytest.mark.parametrize("given", [{}, {"url": "https://h/r", "repository_name": "x"}])
def test_exactly_one_of_url_and_name(given):
    with pytest.raises(InvalidInput, match="exactly one"):
        GitHost(**given)


def test_a_local_repository_is_made_once_and_pushed_to(root, store, tmp_path):
    first = commit(store, tmp_path / "w", b"1")
    result = push(store, first, repository_name="team/hello", branch="trunk")
    path = root / "team" / "hello.git"
    assert result.as_result() == {
        "host": "git",
        "full_name": "team/hello",
        "html_url": f"file://{path}",
        "clone_url": str(path),
        "default_branch": "trunk",
        "branch": "trunk",
        "commit": first,
        "created": True,
        "pushed": True,
        "adopted": False,
    }
    assert (path / "HEAD").read_text() == "ref: refs/heads/trunk\n"
    assert not (path / "hooks").exists()
    again = push(store, first, repository_name="team/hello.git", branch="trunk")
    assert (again.created, again.pushed) == (False, False)
    second = commit(store, tmp_path / "w2", b"2", parent=first)
    assert push(store, second, url=str(path), branch="trunk").pushed
    assert branches(path) == {"refs/heads/trunk": second}
    # An older commit does not come back over a newer one.
    with pytest.raises(Diverged):
        push(store, first, repository_name="team/hello", branch="trunk")


def test_another_branch_of_an_own_repository_is_fine(root, store, tmp_path):
    made = commit(store, tmp_path / "w", b"1")
    push(store, made, repository_name="r")
    result = push(store, made, repository_name="r", branch="release/1")
    assert result.default_branch == "main"
    assert branches(root / "r.git") == {"refs/heads/main": made, "refs/heads/release/1": made}


def test_a_strangers_repository_is_left_alone(root, store, tmp_path):
    other = GitStore(tmp_path / "other.git")
    theirs = commit(other, tmp_path / "wo", b"theirs")
    push(other, theirs, repository_name="r")
    ours = commit(store, tmp_path / "w", b"ours")
    with pytest.raises(Diverged):
        push(store, ours, repository_name="r")
    with pytest.raises(RepositoryExists):
        push(store, ours, repository_name="r", branch="x")
    assert branches(root / "r.git") == {"refs/heads/main": theirs}


def test_a_folder_that_is_no_repository_is_left_alone(root, store, tmp_path):
    (root / "r.git").mkdir(parents=True)
    (root / "r.git" / "precious").touch()
    with pytest.raises(RemoteRefused, match="no git repository"):
        GitHost(repository_name="r").find_or_create()
    assert [path.name for path in (root / "r.git").iterdir()] == ["precious"]


def test_a_repository_that_refuses_says_why(root, store, tmp_path):
    made = commit(store, tmp_path / "w", b"1")
    GitHost(repository_name="r").find_or_create()
    hook = root / "r.git" / "hooks" / "pre-receive"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\necho 'frozen until Monday' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(RemoteRefused) as refused:
        push(store, made, repository_name="r")
    assert "frozen until Monday" in refused.value.message
    assert refused.value.place["reason"] == "[remote rejected] (pre-receive hook declined)"


def test_the_exporter_pushes_for_its_project(root, tmp_path, settings):
    project = "0b5ae8b4-2a3c-4d3e-9f10-1c2d3e4f5a6b"
    settings.ARCHIVES_DIR = tmp_path / "archives"
    exporter = RepositoryExporter(project)
    exporter.generator.write_file("README.md", "# hi")
    made = commit(GitStore.for_project(project), exporter.generator.base_dir, b"1")
    assert exporter.export_to_git(repository_name="r", commit=made)["pushed"]
    assert not exporter.export_to_git(url=str(root / "r.git"), commit=made)["pushed"]
    assert exporter.export_as_zip().name == f"{project}.zip"
    assert exporter.export_as_tar().name == f"{project}.tar.gz"
    assert exporter.export_as_tar().is_file()
    with pytest.raises(InvalidInput):
        exporter.export_to_git(repository_name="r", commit="--force")


def test_an_unreachable_address_is_tried_four_times(store, tmp_path):
    made = commit(store, tmp_path / "w", b"1")
    pauses: list[float] = []
    # Port 9 of this machine: nobody listens there.
    target = GitHost(url="http://127.0.0.1:9/r.git").find_or_create()
    with pytest.raises(RemoteUnreachable):
        push_commit(host="git", target=target, store=store, commit=made, sleep=pauses.append)
    assert len(pauses) == 3
