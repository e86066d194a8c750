"""`repomill schedules`."""

from __future__ import annotations

import json

import pytest

from backend.apps.authentication.models import User
from backend.apps.exports.models import ExportSchedule, ScheduleRun
from backend.cli.app import main


@pytest.fixture
def cli(world, capsys):
    world.user = User.objects.create(username="operator", is_superuser=True)
    ExportSchedule.objects.filter(owner__isnull=False).delete()

    def run(*words: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as left:
            main(["schedules", *words])
        captured = capsys.readouterr()
        assert (left.value.code or 0) == code, captured
        return str(captured.out if code == 0 else captured.out + captured.err)

    return run


def test_the_life_of_a_schedule(cli):
    made = cli("create", "nightly", "--cron", "30 2 * * *", "-z", "Europe/Berlin", "--to", "tar.gz", "--keep-last", "7")
    assert made.count("02:30 CE") == 5
    told = json.loads(cli("show", "nightly", "--json"))
    assert (told["cron"], told["time_zone"], told["keep_last"], len(told["next_times"])) == (
        *("30 2 * * *", "Europe/Berlin"),
        *(7, 5),
    )
    assert told["export"]["export_type"] == "tar.gz"
    assert "nightly" in cli("list")
    assert "paused" in cli("pause", "nightly")
    assert "paused already" in cli("pause", "nightly", code=5)
    cli("resume", "nightly")
    assert "within seconds" in cli("run", "nightly")
    assert ScheduleRun.objects.get().by_hand
    assert len(cli("secret", "nightly").strip()) == 64
    cli("delete", "nightly")
    assert "no schedule" in cli("show", "nightly", code=4)


def test_the_names_of_a_list_are_whole_at_80_columns(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    cli("create", "nightly-of-all-the-shops", "--cron", "30 2 * * *", "-z", "America/Argentina/Buenos_Aires")
    told = cli("list")
    assert "nightly-of-all-the-shops" in told
    assert "archive-old-generations" in told
    assert "…" not in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--cron", "bad"), "cron"),
        (("--cron", "0 2 * * *", "--every", "60"), "either a cron"),
        ((), "either a cron"),
        (("--cron", "0 2 * * *", "-z", "Nowhere"), "time zone"),
    ],
)
def test_what_is_wrong(cli, words, said):
    assert said in cli("create", "x", *words, code=3)
    assert not ExportSchedule.objects.filter(name="x").exists()


def test_only_what_is_given_changes(cli):
    cli("create", "nightly", "--cron", "30 2 * * *", "--to", "tar.gz", "--label", "kept", "--keep-last", "7")
    before = json.loads(cli("show", "nightly", "--json"))
    told = json.loads(cli("change", "nightly", "--every", "3600", "--keep-days", "30", "--keep-last", "0", "--json"))
    assert (told["cron"], told["interval_seconds"], told["keep_last"], told["keep_days"]) == (None, 3600, None, 30)
    assert told["export"] == before["export"]
    said = cli("change", "nightly", "--name", "hourly", "--notify-email", "ops@example.org")
    assert said.startswith("Changed hourly.")
    assert ExportSchedule.objects.get(name="hourly").notify_email == ["ops@example.org"]
    cli("change", "hourly", "--notify-email", "")
    assert ExportSchedule.objects.get(name="hourly").notify_email == []


def test_what_it_exports_is_said_whole(cli):
    cli("create", "nightly", "--cron", "30 2 * * *", "--to", "tar.gz", "--label", "kept")
    export = json.loads(cli("change", "nightly", "--to", "zip", "--json"))["export"]
    assert (export["export_type"], export["selection"]) == ("zip", {"kind": "all"})


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        ((), "changes nothing", 3),
        (("--cron", "bad"), "cron", 3),
        (("--keep-last", "-1"), "keep-last", 2),
    ],
)
def test_what_is_wrong_changes_nothing(cli, words, said, code):
    cli("create", "nightly", "--cron", "30 2 * * *", "--to", "tar.gz", "--label", "kept")
    before = cli("show", "nightly", "--json")
    assert said in cli("change", "nightly", *words, code=code)
    assert cli("show", "nightly", "--json") == before
