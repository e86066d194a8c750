"""`repomill tokens`: the value goes to the standard output once, and is nowhere else."""

from __future__ import annotations

import json

import pytest
from rest_framework.test import APIClient

from backend.apps.authentication.models import ServiceToken, User
from backend.apps.projects.models import Project
from backend.cli.app import main

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator() -> User:
    return User.objects.create_superuser("operator", password="long enough to pass")


@pytest.fixture
def cli(operator, capsys):
    def run(*arguments: str, code: int = 0) -> tuple[str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["tokens", *arguments])
        assert ended.value.code == code
        said = capsys.readouterr()
        return said.out, said.err

    return run


def test_a_tokens_life(cli, operator) -> None:
    out, err = cli("add", "ci", "--scope", "run", "--days", "7")
    value = out.strip()
    assert (out.count("\n"), value[:4]) == (1, "rmt_")
    assert value not in err
    assert "read, run" in err
    me = APIClient().get("/api/v1/auth/me/", headers={"Authorization": f"Bearer {value}"})
    assert me.json()["username"] == "operator"
    listed, _ = cli("list")
    assert "ci" in listed
    assert f"...{value[-4:]}" in listed
    assert value not in listed + cli("list", "--json")[0]
    assert cli("revoke", "ci")[0] == "Revoked ci.\n"
    assert ServiceToken.objects.count() == 0
    assert "No tokens" in cli("list")[0]


def test_json_for_scripts(cli, operator) -> None:
    project = Project.objects.create(name="Mill", slug="mill", owner=operator)
    made = json.loads(cli("add", "ci", "--project", "mill", "--json")[0])
    assert made["token"].startswith("rmt_")
    assert (made["project"], made["scopes"], made["last_used_at"]) == (str(project.pk), ["read"], None)
    (listed,) = json.loads(cli("list", "--json")[0])
    assert listed == {name: value for name, value in made.items() if name != "token"}
    assert "mill" in cli("list")[0]
    assert json.loads(cli("revoke", "ci", "--json")[0]) == {"revoked": "ci"}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("add", "ci", "--scope", "all"), 3, "There is no scope 'all'"),
        (("add", "ci", "--days", "0"), 3, "1 to 366 days"),
        (("add", "ci", "--project", "none"), 4, "no project 'none'"),
        (("add", "taken"), 5, "Revoke it first"),
        (("add", "ci", "--user", "nobody"), 4, "no user 'nobody'"),
        (("revoke", "none"), 4, "no token 'none'"),
    ],
)
def test_what_is_wrong_is_said(cli, arguments, code, said) -> None:
    cli("add", "taken")
    assert said in cli(*arguments, code=code)[1]
    assert [row.name for row in ServiceToken.objects.all()] == ["taken"]
