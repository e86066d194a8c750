"""Pushing over HTTP to a real git server, a well-behaved and an evil one."""

from __future__ import annotations

import base64
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend.apps.credentials.secret import Secret
from backend.apps.projects.errors import CredentialRejected, Diverged, RepositoryExists
from backend.apps.projects.hosts import git as git_host
from backend.apps.projects.hosts.git import GitHost, push_commit
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.workspace import NewFile, Workspace
from backend.errors import InvalidInput, RateLimited, RemoteRefused, RemoteUnreachable, RepomillError
from tests import corpus
from tests.commits import commit_all
from tests.integration.git_http_server import GitHttpServer

pytestmark = pytest.mark.integration

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TOKEN = "tok" + "en-CANARY-0123456789"


@pytest.fixture
def server(tmp_path):
    with GitHttpServer(tmp_path / "served") as server:
        yield server


@pytest.fixture
def store(tmp_path):
    return GitStore(tmp_path / "store.git")


@pytest.fixture
def credential_file(tmp_path):
    path = tmp_path / "credential"
    path.write_text(TOKEN)
    path.chmod(0o600)
    return path


def commit(store: GitStore, folder: Path, content: bytes, *, parent: str | None = None) -> str:
    workspace = Workspace(folder)
    workspace.write("a.txt", content)
    return commit_all(store, workspace, message="Generate", parent=parent, when=WHEN).commit


def push(url: str, store: GitStore, commit: str, *, pauses: list[float] | None = None, **options):
    target = GitHost(url=url, **options).find_or_create()
    slept: list[float] = [] if pauses is None else pauses
    return push_commit(host="git", target=target, store=store, commit=commit, sleep=slept.append)


def test_first_push_then_no_op_then_fast_forward(server, store, tmp_path):
    url = server.create_repository("team/hello.git")
    first = commit(store, tmp_path / "w1", b"1")
    pushed = push(url, store, first)
    assert pushed.as_result() == {
        "host": "git",
        "full_name": "team/hello",
        "html_url": url.removesuffix(".git"),
        "clone_url": url,
        "default_branch": "main",
        "branch": "main",
        "commit": first,
        "created": False,
        "pushed": True,
        "adopted": False,
    }
    assert not push(url, store, first).pushed
    second = commit(store, tmp_path / "w2", b"2", parent=first)
    assert push(url, store, second).pushed
    assert server.branches("team/hello.git") == {"main": second}


def test_a_large_push_in_chunks_arrives(server, store, tmp_path):
    url = server.create_repository("large.git")
    pushed = commit(store, tmp_path / "w", os.urandom(3_000_000))
    push(url, store, pushed)
    assert server.branches("large.git") == {"main": pushed}


def test_what_has_moved_on_is_not_overwritten(server, store, tmp_path):
    url = server.create_repository("r.git")
    theirs = commit(GitStore(tmp_path / "other.git"), tmp_path / "wo", b"theirs")
    push(url, GitStore(tmp_path / "other.git"), theirs)
    ours = commit(store, tmp_path / "w", b"ours")
    with pytest.raises(Diverged):
        push(url, store, ours)
    with pytest.raises(RepositoryExists):
        push(url, store, ours, branch="another")
    assert server.branches("r.git") == {"main": theirs}


def test_a_push_that_loses_a_race_overwrites_nothing(server, store, tmp_path, monkeypatch):
    url = server.create_repository("r.git")
    other = GitStore(tmp_path / "other.git")
    theirs = commit(other, tmp_path / "wo", b"theirs")
    looked = git_host._Pusher._look

    def look_then_lose(pusher):
        heads = looked(pusher)
        monkeypatch.setattr(git_host._Pusher, "_look", looked)
        push(url, other, theirs)
        return heads

    ours = commit(store, tmp_path / "w", b"ours")
    monkeypatch.setattr(git_host._Pusher, "_look", look_then_lose)
    with pytest.raises(Diverged):
        push(url, store, ours)
    assert server.branches("r.git") == {"main": theirs}


def test_a_hook_refuses_in_its_own_words(server, store, tmp_path):
    url = server.create_repository("guarded.git")
    server.refuse_pushes("guarded.git", "no pushes on Sunday \x1b[2J")
    pauses: list[float] = []
    with pytest.raises(RemoteRefused) as refused:
        push(url, store, commit(store, tmp_path / "w", b"1"), pauses=pauses)
    assert "no pushes on Sunday" in refused.value.message
    assert "\x1b" not in refused.value.message
    assert not refused.value.retryable
    assert pauses == []


def test_a_token_opens_the_door_and_is_nowhere_else(server, store, tmp_path, credential_file):
    url = server.create_repository("private.git")
    server.require_token(TOKEN)
    pushed = push(url, store, commit(store, tmp_path / "w", b"1"), credential_file=credential_file)
    assert pushed.pushed
    assert set(server.authorizations) == {"Basic " + base64.b64encode(f"git:{TOKEN}".encode()).decode()}
    assert TOKEN not in repr(pushed)
    assert not [path for path in store.path.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]


@pytest.mark.parametrize("token", [None, "wrong-CANARY-token"])
def test_without_the_right_token_the_credential_is_rejected(server, store, tmp_path, token):
    url = server.create_repository("private.git")
    server.require_token(TOKEN)
    file = None
    if token:
        file = tmp_path / "wrong"
        file.write_text(token)
        file.chmod(0o600)
    with pytest.raises(CredentialRejected) as rejected:
        push(url, store, commit(store, tmp_path / "w", b"1"), credential_file=file)
    assert "CANARY" not in str(rejected.value.as_json())


@pytest.mark.parametrize(
    ("status", "error", "retried"),
    [
        ("503 Service Unavailable", RemoteUnreachable, 3),
        ("403 Forbidden", CredentialRejected, 0),
        ("404 Not Found", RemoteRefused, 0),
        ("429 Too Many Requests", RateLimited, 0),
    ],
)
def test_what_an_answer_means(server, store, tmp_path, status, error, retried):
    url = server.create_repository("r.git")
    server.answer_with = status
    pauses: list[float] = []
    with pytest.raises(error) as raised:
        push(url, store, commit(store, tmp_path / "w", b"1"), pauses=pauses)
    assert type(raised.value) is error
    assert raised.value.hint
    assert len(pauses) == retried


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("413 Payload Too Large", RemoteRefused),
        ("400 Bad Request", RemoteRefused),
        ("422 Unprocessable Entity", RemoteRefused),
        ("404 Not Found", RemoteUnreachable),
        ("502 Bad Gateway", RemoteUnreachable),
    ],
)
def test_what_an_answer_to_the_content_means(server, store, tmp_path, status, error):
    url = server.create_repository("r.git")
    server.answer_packs_with = status
    with pytest.raises(error) as raised:
        push(url, store, commit(store, tmp_path / "w", b"1"))
    assert type(raised.value) is error
    assert status.split()[0] in raised.value.message
    assert raised.value.hint


def test_a_lost_answer_is_no_harm(server, store, tmp_path):
    url = server.create_repository("r.git")
    server.break_off = 1
    pushed = commit(store, tmp_path / "w", b"1")
    assert push(url, store, pushed).pushed
    assert server.branches("r.git") == {"main": pushed}


def test_a_server_that_is_down_is_unreachable_and_found_again_when_it_is_back(server, store, tmp_path):
    url = server.create_repository("r.git")
    server.stop()
    pushed = commit(store, tmp_path / "w", b"1")
    with pytest.raises(RemoteUnreachable):
        push(url, store, pushed)
    server.start()
    assert server.url("r.git") == url
    assert push(url, store, pushed).pushed


def test_a_redirect_to_another_origin_is_not_followed_and_gets_no_token(server, store, tmp_path, credential_file):
    with GitHttpServer(tmp_path / "evil") as evil:
        evil.create_repository("r.git")
        evil.require_token(TOKEN)
        url = server.create_repository("r.git")
        server.redirect_to = evil.origin
        with pytest.raises(RemoteRefused, match=r"302|redirect"):
            push(url, store, commit(store, tmp_path / "w", b"1"), credential_file=credential_file)
        assert evil.requests == []


def test_what_lies_in_the_home_of_the_worker_does_not_act(server, store, tmp_path, credential_file, monkeypatch):
    with GitHttpServer(tmp_path / "evil") as evil:
        evil.create_repository("r.git")
        home = tmp_path / "home"
        (home / "git").mkdir(parents=True)
        planted = (
            f'[url "{evil.origin}/"]\n\tinsteadOf = {server.origin}/\n'
            f"[http]\n\tproxy = {evil.origin}\n[credential]\n\thelper = !touch {tmp_path}/canary; echo\n"
        )
        (home / ".gitconfig").write_text(planted)
        (home / "git" / "config").write_text(planted)
        (home / ".netrc").write_text("machine 127.0.0.1 login git password netrc-CANARY\n")
        for name, value in {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home),
            "http_proxy": evil.origin,
            "ALL_PROXY": evil.origin,
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{evil.origin}/.insteadOf",
            "GIT_CONFIG_VALUE_0": f"{server.origin}/",
            "GIT_ASKPASS": "/bin/echo",
            "GIT_TRACE_CURL": str(tmp_path / "trace"),
            "GIT_DIR": str(tmp_path),
        }.items():
            monkeypatch.setenv(name, value)
        url = server.create_repository("r.git")
        server.require_token(TOKEN)
        assert push(url, store, commit(store, tmp_path / "w", b"1"), credential_file=credential_file).pushed
        assert evil.requests == []
    assert not (tmp_path / "canary").exists()
    assert not (tmp_path / "trace").exists()
    assert all("netrc" not in base64.b64decode(seen.split()[1]).decode() for seen in server.authorizations)


def test_a_commit_that_the_store_does_not_have_is_refused(server, store, tmp_path):
    url = server.create_repository("r.git")
    commit(store, tmp_path / "w", b"1")
    with pytest.raises(InvalidInput):
        push(url, store, "0" * 40)
    assert server.requests == []


def test_many_files_arrive_as_they_are(server, store, tmp_path):
    url = server.create_repository("r.git")
    workspace = Workspace(tmp_path / "w")
    workspace.write_many([NewFile(f"d{n % 7}/f{n}.bin", bytes([n])) for n in range(200)])
    made = commit_all(store, workspace, message="Generate", parent=None, when=WHEN)
    push(url, store, made.commit)
    there = GitStore(tmp_path / "served" / "r.git")
    with there.tree(made.commit) as tree:
        assert [entry.path for entry in tree.entries() if not entry.is_directory] == [file.path for file in made.files]


@pytest.mark.parametrize("how", ["refused by a hook", "401 Unauthorized", "403 Forbidden", "404 Not Found"])
def test_what_is_said_of_a_failed_push_has_no_token(server, store, tmp_path, credential_file, how):
    """The server repeats it in the words of a hook, in each spelling that it was sent in or can make of it."""
    url = server.create_repository("r.git")
    server.require_token(TOKEN)
    spellings = Secret(TOKEN).forms(username="git")
    server.refuse_pushes("r.git", f"no: {' '.join(sorted(spellings))}")
    server.answer_with = None if how.startswith("refused") else how
    with pytest.raises(RepomillError) as failed:
        push(url, store, commit(store, tmp_path / "w", b"1"), credential_file=credential_file)
    said: BaseException | None = failed.value
    while said is not None:
        shown = f"{said!r} {said} {getattr(said, 'place', '')} {getattr(said, 'hint', '')}"
        assert not [form for form in spellings if form in shown], how
        said = said.__cause__ or (None if said.__suppress_context__ else said.__context__)


def test_every_row_about_tokens_has_its_test():
    """The rows are prose: each is tried where it is named here."""
    redirect = test_a_redirect_to_another_origin_is_not_followed_and_gets_no_token
    planted = test_what_lies_in_the_home_of_the_worker_does_not_act
    where = {
        "000": test_a_token_opens_the_door_and_is_nowhere_else,
        "001": "test_hosted_workflows.test_a_step_publishes_to_github",
        "002": "test_hosted_workflows.test_a_step_publishes_to_github",
        "003": "test_hosted_workflows.test_a_step_publishes_to_github",
        "004": "test_askpass.test_askpass_answers_for_its_origin_only",
        **dict.fromkeys(("005", "006", "007", "008", "012", "013"), planted),
        **dict.fromkeys(("009", "010", "011"), redirect),
        "014": test_what_is_said_of_a_failed_push_has_no_token,
        "015": "faults_contract.test_an_answer_with_another_address_moves_no_push",
        "016": "test_canaries.test_no_file_has_one",
        "017": "push_contract.test_a_rewritten_history_is_not_forced",
    }
    found = {row["id"].rpartition("-")[2] for row in corpus.rows("own/git_push_credentials")}
    assert found == set(where)
    root = Path(__file__).resolve().parents[1]
    for test in where.values():
        if isinstance(test, str):
            module, _, function = test.partition(".")
            (path,) = root.rglob(f"{module}.py")
            assert f"def {function}(" in path.read_text()
