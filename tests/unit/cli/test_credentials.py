"""`repomill credentials`: what it takes, what it shows, and what it never takes or shows."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from secrets import token_hex

import pytest
from django.conf import settings as django_settings
from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.credentials.models import Credential
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services import keyring
from backend.apps.credentials.services.keeping import add_credential
from backend.apps.credentials.services.secrets import open_secret
from backend.apps.projects.models import Project, ProjectMembership
from backend.cli.app import main
from tests.unit.credentials.host_server import HostServer, Reply, github, gitlab, serving

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def keys_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(django_settings, "CREDENTIAL_KEYS_FILE", tmp_path / "secrets" / "credential_keys")
    monkeypatch.setattr(django_settings, "CREDENTIAL_KEYS_GIVEN", False)
    return tmp_path / "secrets" / "credential_keys"


@pytest.fixture(autouse=True)
def operator() -> User:
    return User.objects.create_superuser("operator", password="long enough to pass")


@pytest.fixture
def token() -> str:
    return f"CANARY{token_hex(16)}"


@pytest.fixture
def host() -> Iterator[HostServer]:
    with serving() as server:
        server.replies = github()
        yield server


@pytest.fixture
def cli(capsys, token, monkeypatch):
    """Runs `repomill credentials ...` with `stdin` and returns what it printed, which never holds the token."""

    def run(*arguments: str, code: int = 0, stdin: str = "") -> str:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as ended:
            main(["credentials", *arguments])
        printed = capsys.readouterr()
        said = printed.out + printed.err
        assert (ended.value.code or 0) == code, said
        assert token not in said
        return str(printed.out if code == 0 else said)

    return run


@pytest.fixture
def added(cli, token, host) -> Credential:
    cli("add", "acme-bot", "--host", "github", "--base-url", host.url, "--stdin", stdin=token)
    return Credential.objects.get()


def test_add_takes_a_value_from_stdin_and_says_what_the_host_said(cli, token, host, operator):
    out = cli("add", "acme-bot", "--host", "github", "--base-url", host.url, "--stdin", stdin=f"{token}\n")
    row = Credential.objects.get()
    assert open_secret(row).reveal() == token
    assert (row.owner, row.account, row.scopes) == (operator, "acme-bot", ["repo", "workflow"])
    assert "Added acme-bot." in out
    assert f"acme-bot on GitHub at 127.0.0.1:{host.port}" in out
    assert "repo, workflow" in out
    assert "2031-01-31" in out
    assert "4990 of 5000" in out


@pytest.mark.parametrize(("ending", "kept"), [("", True), ("\n", True), ("\r\n", True), ("\n\n", False)])
def test_add_takes_a_value_from_a_file(cli, token, tmp_path, ending, kept):
    file = tmp_path / "token"
    file.write_bytes((token + ending).encode())
    file.chmod(0o600)
    cli("add", "x", "--host", "github", "--from-file", str(file), "--no-check", code=0 if kept else 3)
    assert [open_secret(row).reveal() for row in Credential.objects.all()] == ([token] if kept else [])


def test_a_file_that_others_can_read_is_named(cli, token, tmp_path, capsys, monkeypatch):
    file = tmp_path / "token"
    file.write_text(token)
    file.chmod(0o644)
    with pytest.raises(SystemExit):
        main(["credentials", "add", "x", "--host", "github", "--from-file", str(file), "--no-check"])
    assert f"chmod 600 {file}" in capsys.readouterr().err


def test_add_asks_where_there_is_a_terminal(cli, token: str, capsys, monkeypatch):
    """Given a terminal, when no source is named, then the value is asked for and not shown."""
    asked: list[tuple[str, bool]] = []

    class Terminal(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    def prompt(text: str, *, hide_input: bool, err: bool) -> str:
        asked.append((text, hide_input))
        return token

    monkeypatch.setattr(sys, "stdin", Terminal(io.BytesIO()))
    monkeypatch.setattr("typer.prompt", prompt)
    with pytest.raises(SystemExit) as ended:
        main(["credentials", "add", "x", "--host", "github", "--no-check"])
    printed = capsys.readouterr()
    assert not ended.value.code, printed
    assert open_secret(Credential.objects.get()).reveal() == token
    assert token not in printed.out + printed.err
    assert asked == [("Value of x (not shown)", True)]


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (["x", "--host", "github"], "", "no terminal"),
        (["x", "--host", "github", "--stdin"], "", "is empty"),
        (["x", "--host", "github", "--stdin"], "\n", "is empty"),
        (["x", "--host", "github", "--stdin"], "CANARY\tx", "control character"),
        (["x", "--host", "github", "--stdin"], "CANARY" * 2000, "larger than 10000 bytes"),
        (["x", "--host", "github", "--stdin", "--from-file", "y"], "x", "where the value comes from"),
        (["x", "--host", "github", "--from-file", "/nowhere/x"], "", "cannot be read"),
        (["x", "--host", "bitbucket", "--stdin"], "x", "no host"),
        (["x", "--host", "git", "--stdin"], "x", "where the repositories are"),
        (["x", "--host", "github", "--base-url", "https://me:CANARY@h", "--stdin"], "x", "not the address"),
        (["X y", "--host", "github", "--stdin"], "x", "cannot be the name"),
        (["ghp_CANARY0000000000", "--host", "github", "--stdin"], "x", "looks like a token"),
        (["x", "CANARYtoken", "--host", "github", "--stdin"], "x", "never an argument"),
        (["x", "--host", "github", "--stdin", "--username", "a b"], "x", "user name"),
    ],
)
def test_what_cannot_be_added_is_refused_and_not_repeated(cli, arguments, stdin, said):
    printed = cli("add", *arguments, "--no-check", stdin=stdin, code=3)
    assert said in printed
    assert "CANARY" not in printed
    assert not Credential.objects.exists()


def test_what_is_not_text_is_refused_and_not_repeated(cli, tmp_path):
    (tmp_path / "token").write_bytes(b"CANARY\xff")
    printed = cli("add", "x", "--host", "github", "--from-file", str(tmp_path / "token"), code=3)
    assert "UTF-8" in printed
    assert "CANARY" not in printed


@pytest.mark.parametrize("option", ["--token", "--value", "--password", "--secret", "-t", "-x", "--t"])
def test_no_option_takes_a_value(cli, option):
    for command in ("add", "rotate"):
        printed = cli(command, "x", f"{option}=CANARY", "--stdin", stdin="x", code=2)
        assert "CANARY" not in printed
    assert not Credential.objects.exists()


def test_what_the_host_rejects_is_not_kept(cli, token, host):
    host.replies["/api/v3/user"] = Reply({"message": token}, 401)
    printed = cli("add", "x", "--host", "github", "--base-url", host.url, "--stdin", stdin=token, code=9)
    assert "credential_rejected" in printed
    assert "Nothing was stored" in printed
    assert not Credential.objects.exists()


def test_what_cannot_be_asked_now_is_kept(cli, token, host):
    host.replies["/api/v3/user"] = Reply({}, 503)
    out = cli("add", "x", "--host", "github", "--base-url", host.url, "--stdin", stdin=token)
    assert "not checked" in out
    assert "fault of its own" in out
    assert Credential.objects.get().last_checked_at is None


def test_git_is_kept_and_not_asked(cli, token, host):
    out = cli("add", "x", "--host", "git", "--base-url", host.url, "--stdin", stdin=token)
    assert "cannot be asked" in out
    assert host.seen == []


def test_without_a_check_nobody_is_asked(cli, token, host):
    cli("add", "x", "--host", "github", "--base-url", host.url, "--stdin", "--no-check", stdin=token)
    assert host.seen == []


def test_a_taken_name_is_a_conflict_before_the_host_is_asked(cli, added, token, host):
    host.seen.clear()
    printed = cli("add", "acme-bot", "--host", "github", "--base-url", host.url, "--stdin", stdin=token, code=5)
    assert "rotate acme-bot" in printed
    assert host.seen == []


def test_add_as_json(cli, token, host):
    arguments = ["--host", "gitlab", "--base-url", host.url, "--stdin", "--json"]
    host.replies = gitlab(scopes=["write_repository"])
    shown = json.loads(cli("add", "x", *arguments, stdin=token))
    assert shown["name"] == "x"
    assert shown["username"] == "oauth2"
    assert shown["error"] is None
    assert shown["check"]["quota"]["remaining"] == 1999
    assert [each["code"] for each in shown["check"]["concerns"]] == ["scope_narrow"]
    host.replies = {"/api/v4/user": Reply({}, 500)}
    shown = json.loads(cli("add", "y", *arguments, stdin=token))
    assert shown["check"] is None
    assert shown["error"]["code"] == "remote_unreachable"


@pytest.fixture
def shop(operator) -> Project:
    return Project.objects.create(name="Shop", slug="shop", owner=operator)


@pytest.fixture
def ada(shop) -> User:
    user = User.objects.create_user("ada")
    ProjectMembership.objects.create(project=shop, user=user, role="viewer")
    return user


def test_a_credential_is_shared_with_a_projects_members(cli, token, shop, ada):
    cli("add", "x", "--host", "github", "--project", "shop", "--stdin", "--no-check", stdin=token)
    (row,) = json.loads(cli("list", "--user", "ada", "--json"))
    assert (row["name"], row["owner"], row["project"]) == ("x", "operator", "shop")
    assert "shop" in cli("list", "--user", "ada")
    assert "no credential 'x'" in cli("remove", "x", "--yes", "--user", "ada", code=4)
    cli("add", "y", "--host", "github", "--project", "shop", "--stdin", "--user", "ada", stdin=token, code=8)
    cli("add", "y", "--host", "github", "--project", "other", "--stdin", "--user", "ada", stdin=token, code=4)


def test_list_shows_everything_but_the_value(cli, added, token, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    open_secret(added)
    out = cli("list")
    assert out.splitlines()[0].split() == [
        "name",
        "host",
        "account",
        "scopes",
        "expires",
        "shared",
        "with",
        "last",
        "used",
    ]
    for word in ("acme-bot", "GitHub at 127.0.0.1", "repo, workflow", "2031-01-31", f"{timezone.now():%Y-%m-%d}"):
        assert word in out
    (row,) = json.loads(cli("list", "--json"))
    assert set(row) == {
        *("id", "name", "host", "base_url", "username", "owner", "project", "account", "scopes", "expires_at"),
        *("last_checked_at", "last_used_at", "created_at"),
    }


def test_a_check_of_none_says_so(cli):
    assert "repomill credentials add" in cli("check")
    assert json.loads(cli("check", "--json")) == []


def test_an_empty_list_says_how_to_begin(cli):
    assert "credentials add" in cli("list")
    assert json.loads(cli("list", "--json")) == []


def test_what_ends_soon_or_has_ended_or_lost_its_project_is_listed(cli, added, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    for days in (-1, 3):
        moment = timezone.now() + timedelta(days=days, hours=1)
        Credential.objects.update(expires_at=moment, project_id="8c9e5b0a-0000-4000-8000-000000000000", scopes=[])
        out = cli("list")
        assert f"{moment:%Y-%m-%d}" in out
        assert "a project that is gone" in out
        assert "none" in out


def test_check_tells_account_scopes_expiry_and_quota(cli, added, host):
    host.replies = github(X_OAuth_Scopes="gist")
    out = cli("check", "acme-bot")
    for word in ("account", "gist", "2031-01-31", "4990 of 5000", "needs the scope `repo`"):
        assert word in out
    shown = json.loads(cli("check", "acme-bot", "--json"))
    assert shown["scopes"] == ["gist"]
    assert shown["check"]["account"] == "acme-bot"


def test_check_of_one_that_fails_has_its_exit_code(cli, added, host, token):
    host.replies["/api/v3/user"] = Reply({"message": token}, 401)
    assert "credential_rejected" in cli("check", "acme-bot", code=9)
    assert "no credential 'nothing'" in cli("check", "nothing", code=4)


def test_check_of_all_tells_each(cli, added, host, operator, token):
    add_credential(user=operator, name="other", host="gitlab", secret=Secret(token), base_url=host.url)
    host.replies |= {"/api/v4/user": Reply({}, 401), "/api/v4/personal_access_tokens/self": Reply({}, 401)}
    out = cli("check", code=1)
    assert "4990 of 5000" in out
    assert "does not accept" in out
    shown = json.loads(cli("check", "--json", code=1))
    assert [row["error"] and row["error"]["code"] for row in shown] == [None, "credential_rejected"]


def test_check_finds_what_is_shared_after_ones_own(cli, token, shop, ada, host):
    for user, name in ((ada, "x"), (shop.owner, "x"), (shop.owner, "y")):
        project = None if user == ada else shop.pk
        made = {"host": "github", "secret": Secret(token), "base_url": host.url, "project_id": project}
        add_credential(user=user, name=name, **made)
    assert json.loads(cli("check", "x", "--user", "ada", "--json"))["owner"] == "ada"
    assert json.loads(cli("check", "y", "--user", "ada", "--json"))["owner"] == "operator"


def test_rotate_gives_a_new_value(cli, added, host):
    out = cli("rotate", "acme-bot", "--stdin", stdin="another-CANARY")
    assert "new value" in out
    assert "CANARY" not in out
    assert host.seen[-1][1]["authorization"] == "Bearer another-CANARY"
    row = Credential.objects.get()
    assert open_secret(row).reveal() == "another-CANARY"
    assert row.account == "acme-bot"


def test_a_new_value_that_the_host_rejects_is_not_taken(cli, added, host, token):
    host.replies["/api/v3/user"] = Reply({}, 401)
    assert "Nothing was stored" in cli("rotate", "acme-bot", "--stdin", stdin="another", code=9)
    assert open_secret(Credential.objects.get()).reveal() == token
    assert "never an argument" in cli("rotate", "acme-bot", "another", "--stdin", stdin="x", code=3)
    assert "no credential" in cli("rotate", "nothing", "--stdin", stdin="x", code=4)


def test_rotate_keys_encrypts_anew(cli, added, token):
    before = Credential.objects.get()
    assert "0 secrets encrypted anew." in cli("rotate-keys")
    assert "1 secrets encrypted anew. 1 old keys dropped." in cli("rotate-keys", "--new-key", "--drop-old")
    after = Credential.objects.get()
    assert after.key_id != before.key_id
    assert open_secret(after).reveal() == token
    shown = json.loads(cli("rotate-keys", "--new-key", "--json"))
    assert shown == {"encrypted": 1, "unreadable": [], "keys_dropped": 0}


def test_rotate_keys_names_what_does_not_open(cli, added, keys_file):
    keyring.add_key()
    keyring.drop_keys(but=[])
    printed = cli("rotate-keys", code=5)
    assert "acme-bot" in printed
    assert "credential_unreadable" in printed
    assert "rotate NAME" in printed


def test_a_lost_key_says_what_to_do(cli, added, keys_file):
    keys_file.unlink()
    printed = cli("check", "acme-bot", code=7)
    assert "credential_key_missing" in printed
    assert str(keys_file) in printed
    assert "backup" in printed


def test_remove_asks_first(cli, added, monkeypatch, capsys):
    assert "no terminal" in cli("remove", "acme-bot", code=3)
    assert Credential.objects.exists()

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for answer, left in (("n\n", True), ("y\n", False)):
        monkeypatch.setattr(sys, "stdin", Terminal(answer))
        with pytest.raises(SystemExit) as ended:
            main(["credentials", "remove", "acme-bot"])
        assert bool(ended.value.code) is left
        assert "Remove the credential acme-bot" in capsys.readouterr().err
        assert Credential.objects.exists() is left


def test_remove_without_asking(cli, added):
    assert "Revoke it" in cli("remove", "acme-bot", "--yes")
    assert "no credential" in cli("remove", "acme-bot", "--yes", code=4)


def test_remove_as_json(cli, added):
    assert json.loads(cli("remove", "acme-bot", "--yes", "--json")) == {"removed": "acme-bot"}


def test_the_help_of_each_command_tells_the_two_rotations_apart(cli):
    assert "rotate-keys" in cli("rotate", "--help")
    assert "rotate NAME" in " ".join(cli("rotate-keys", "--help").split())
    for name in ("add", "list", "check", "rotate", "rotate-keys", "remove"):
        assert name in cli("--help")
