"""`repomill bulk`, with workers that do everything at once."""

from __future__ import annotations

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backend.apps.authentication.models import User
from backend.apps.exports.models import BulkExport
from backend.cli.app import main
from backend.errors import RemoteRefused


@pytest.fixture
def cli(world, capsys, monkeypatch):
    """Run `repomill bulk ...`; return what it printed, having checked its exit code."""
    world.user = User.objects.create(username="operator", is_superuser=True)
    monkeypatch.setattr("backend.cli.bulk_view.PAUSE", 0)

    def run(*words: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as left:
            main(["bulk", *words])
        captured = capsys.readouterr()
        assert (left.value.code or 0) == code, captured
        return str(captured.out if code == 0 else captured.out + captured.err)

    return run


@pytest.fixture
def workers(world, monkeypatch):
    """Let messages be worked on while the command waits."""
    monkeypatch.setattr("backend.cli.bulk_view.sleep", lambda seconds: world.work(2))


def test_from_plan_to_report(cli, world, workers, tmp_path):
    world.projects(5)
    world.project("empty", text=None)
    assert json.loads(cli("plan", "--json")) == {
        "total": 6,
        "deliveries": 5,
        "unchanged": 0,
        "nothing_generated": 1,
        "seconds": None,
        "ends_at": None,
        "bound_by": None,
    }
    assert not BulkExport.objects.exists()
    told = json.loads(cli("start", "--to", "tar.gz", "--name", "night", "--follow", "--json"))
    assert (told["status"], told["percent"], told["counts"]["completed"], told["counts"]["skipped"]) == (
        *("completed", 100),
        *(5, 1),
    )
    assert "5 of 6" not in cli("plan", "--to", "tar.gz")
    assert "0 of 6" in cli("plan", "--to", "tar.gz")
    assert "night" in cli("list")
    assert "100 % of 6 · 5 completed · 1 skipped" in cli("show", "last")
    assert len(cli("report", "last").splitlines()) == 7
    cli("report", "last", "--format", "manifest", "-o", str(tmp_path / "sums"))
    assert len((tmp_path / "sums").read_text().splitlines()) == 5
    assert len(json.loads(cli("report", "last", "--json"))["items"]) == 6


def test_failures_are_shown_and_tried_again(cli, world, workers):
    world.projects(2)

    def refuse(claimed):
        if claimed.method == "bulk.deliver":
            raise RemoteRefused("not \x1b[31mtoday")
        return world.real(claimed)

    world.service = refuse
    told = cli("start", "--follow", code=1)
    assert "remote_refused: not \\x1b[31mtoday" in told
    assert "repomill bulk retry" in told
    world.service = world.real
    cli("retry", "last", "--follow")
    assert BulkExport.objects.get().status == "completed"


def test_pause_resume_cancel(cli, world):
    world.projects(3)
    cli("start", "--window", "1")
    world.work(1)
    assert "Paused" in cli("pause", "last")
    assert json.loads(cli("show", "last", "--json"))["standing"] == "paused"
    assert "paused already" in cli("pause", "last", code=5)
    cli("resume", "last")
    assert "Cancelled" in cli("cancel", "last")
    assert "nothing to cancel" in cli("cancel", "last", code=5)
    # For a script a cancelled one is not done, as for `repomill run --follow`.
    assert json.loads(cli("show", "last", "--follow", "--json", code=1))["status"] == "cancelled"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("start", "--owner", "a", "--label", "b"), 3, "in one way"),
        (("start", "--to", "rar"), 3, "rar"),
        (("start", "--to", "github", "--set", "x"), 3, "NAME=VALUE"),
        (("start", "--to", "github", "--set", "token=x"), 3, "has no 'token'"),
        (("start", "--owner", "nobody"), 4, "nobody"),
        (("show", "last"), 4, "no bulk export"),
        (("start", "--window", "0"), 3, "window"),
    ],
)
def test_what_is_wrong(cli, words, code, said):
    assert said in cli(*words, code=code)
    assert not BulkExport.objects.exists()


def test_a_list_costs_the_same_for_many(cli, world):
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            cli("list")
            cli("list", "--json")
        return len(seen)

    world.projects(1)
    world.start()
    world.work()
    one = queries()
    for _ in range(3):
        world.start()
        world.work()
    assert queries() == one


def test_a_report_that_cannot_be_written_is_no_fault_of_ours(cli, world, tmp_path):
    world.start()
    told = cli("report", "last", "-o", str(tmp_path / "missing" / "report.csv"), code=3)
    assert "No such file or directory" in told


def test_a_key_is_no_longer_than_the_database_takes(cli, world):
    assert "too long" in cli("start", "--key", "k" * 201, code=3)
