"""The pages of schedules: who sees them, what they cost, the calendar, the buttons, and the form with its errors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.exports.bulk_models import BulkExport
from backend.apps.exports.schedule_models import ExportSchedule, ScheduleRun
from backend.apps.exports.services.schedules import change_schedule, create_schedule
from backend.console.shown.calendar import CalendarView
from backend.errors import Conflict, InvalidInput
from tests.unit.console.conftest import browser
from tests.unit.console.exports import SCHEDULES, WISH, assert_only_text, naughty, queries

pytestmark = pytest.mark.django_db
NEW, CALENDAR = f"{SCHEDULES}-/new/", f"{SCHEDULES}-/calendar/"
BUTTONS = ("pause/", "resume/", "run/", "delete/")


@pytest.fixture
def client(ada: User) -> Client:
    return browser(ada)


@pytest.fixture
def nightly(ada: User) -> ExportSchedule:
    return create_schedule(owner=ada, name="nightly", cron="30 2 * * *", time_zone="Europe/Berlin", export=WISH)


def at(schedule: ExportSchedule, more: str = "") -> str:
    return f"{SCHEDULES}{schedule.pk}/{more}"


def in_a_week() -> str:
    """Return a day whose week is wholly to come: the present one may hold no night any more."""
    return (timezone.now() + timedelta(days=8)).date().isoformat()


def shown(page: Any) -> set[tuple[str, str]]:
    """Return what the calendar shows: when, and the schedule's name."""
    days = [day for week in page.context["weeks"] for day in week]
    return {(entry.when, entry.entry.schedule.name) for day in days for entry in day.entries}


def ran(schedule: ExportSchedule, hours: int, status: str = "completed", **more: Any) -> ScheduleRun:
    due = timezone.now() - timedelta(hours=hours)
    return ScheduleRun.objects.create(schedule=schedule, due_at=due, status=status, completed_at=due, **more)


@pytest.mark.parametrize("page", ["", "edit/"])
def test_who_sees_a_schedule(ada: User, stranger: User, operator: User, nightly: ExportSchedule, page: str) -> None:
    for user in (ada, operator):
        assert browser(user).get(at(nightly, page)).status_code == 200
    other = browser(stranger).get(at(nightly, page))
    assert other.status_code == 404
    for address in (SCHEDULES, f"{CALENDAR}?at={in_a_week()}"):
        assert "nightly" in browser(ada).get(address).text
        assert "nightly" not in browser(stranger).get(address).text
    assert browser(stranger).post(at(nightly, "edit/"), {"do": "save"}).status_code == 404
    assert Client().get(at(nightly, page)).status_code == 302


@pytest.mark.parametrize("button", BUTTONS)
def test_strangers_change_nothing(ada: User, stranger: User, nightly: ExportSchedule, button: str) -> None:
    assert "There is no schedule" in browser(stranger).post(at(nightly, button), follow=True).text
    same = ExportSchedule.objects.get(pk=nightly.pk)
    assert (same.enabled, same.runs.count()) == (True, 0)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ada)
    for path in (at(nightly, button), at(nightly, "edit/"), NEW):
        assert strict.post(path, {"do": "save"}).status_code == 403


def test_the_buttons(client: Client, nightly: ExportSchedule) -> None:
    back = {"back": at(nightly)}
    assert "It is paused" in client.post(at(nightly, "pause/"), back, follow=True).text
    assert "The schedule is paused already." in client.post(at(nightly, "pause/"), back, follow=True).text
    assert "by the clock again" in client.post(at(nightly, "resume/"), back, follow=True).text
    assert "It starts within seconds." in client.post(at(nightly, "run/"), back, follow=True).text
    assert ScheduleRun.objects.get().by_hand
    assert "by hand" in client.get(at(nightly)).text
    client.post(at(nightly, "delete/"))
    assert not ExportSchedule.objects.filter(pk=nightly.pk).exists()


def test_the_products_own_stays(operator: User) -> None:
    ours = ExportSchedule.objects.get(owner=None)
    client = browser(operator)
    assert "Remove…" not in client.get(at(ours)).text
    assert "belongs to the product" in client.post(at(ours, "delete/"), {"back": at(ours)}, follow=True).text
    form = client.get(at(ours, "edit/")).text
    assert ("in/keep_days" in form, "in/export_type" in form, 'name="in/name"' in form) == (True, False, False)
    answers = {"in/rhythm": '"cron"', "in/cron": "15 4 * * *", "in/time_zone": '"UTC"', "in/keep_days": "45"}
    answers |= {"in/overlap": '"skip"', "in/catch_up": '"one"', "in/catch_up_hours": "24"}
    assert client.post(at(ours, "edit/"), {**answers, "do": "save"}).status_code == 302
    ours.refresh_from_db()
    assert (ours.cron, ours.keep_days, ours.name) == ("15 4 * * *", 45, "archive-old-generations")
    assert client.post(at(ours, "edit/"), {**answers, "in/keep_days": "", "do": "save"}).status_code == 422


def test_a_schedule_says_when_it_comes_and_what_came(client: Client, nightly: ExportSchedule) -> None:
    ran(nightly, 50, result={"archives_removed": 2})
    ran(nightly, 26, "skipped", reason="The one before still ran.")
    ran(nightly, 2, "failed", error={"code": "items_failed", "message": "Items have failed.", "retryable": False})
    page = client.get(at(nightly))
    assert len(page.context["upcoming"]) == 5
    assert all(due.words.endswith(", 02:30") and due.words in page.text for due in page.context["upcoming"])
    for words in ("Last run failed", "Items have failed.", "2 old archives removed", "The one before still ran."):
        assert words in page.text
    failed = client.get(at(nightly, "?status=failed")).text
    assert ("Items have failed." in failed, "2 old archives" in failed) == (True, False)
    assert "Last run failed" in client.get(SCHEDULES).text
    assert client.get(at(nightly, "?status=odd&page=odd")).status_code == 200


SENT = {
    "in/name": "weekly",
    "in/rhythm": '"cron"',
    "in/cron": "0 6 * * 1",
    "in/time_zone": '"Europe/Berlin"',
    "in/selection/kind": '"all"',
    "in/export_type": '"zip"',
    "given/in/skip_unchanged": "1",
    "in/overlap": '"queue"',
    "in/catch_up": '"all"',
    "in/catch_up_hours": "1.5",
    "in/keep_last": "3",
    "in/notify_email": "ops@example.org\r\nada@example.org",
}


def test_a_schedule_is_made_by_the_form(ada: User, client: Client) -> None:
    assert "New schedule" in client.get(NEW).text
    times = client.post(NEW, {**SENT, "do": "times"})
    first = times.context["upcoming"][0].words
    assert (first[:3], first[-5:], first in times.text) == ("Mon", "06:00", True)
    assert not ExportSchedule.objects.filter(owner=ada).exists()
    made = client.post(NEW, {**SENT, "do": "save"})
    schedule = ExportSchedule.objects.get(owner=ada)
    assert made["Location"] == at(schedule)
    assert (schedule.cron, schedule.overlap, schedule.catch_up, schedule.catch_up_seconds) == (
        *("0 6 * * 1", "queue", "all"),
        5400,
    )
    assert (schedule.keep_last, schedule.keep_days, schedule.notify_email) == (
        *(3, None),
        ["ops@example.org", "ada@example.org"],
    )
    assert schedule.export["skip_unchanged"] is False
    taken = client.post(NEW, {**SENT, "do": "save"})
    assert (taken.status_code, 'id="in-name-error"' in taken.text) == (422, True)


@pytest.mark.parametrize("left_out", [{"in/time_zone": ""}, {"in/export_type": ""}, {"in/catch_up": ""}])
@pytest.mark.parametrize("do", ["times", "save"])
def test_a_choice_that_was_not_made_is_the_default(client: Client, left_out: dict[str, str], do: str) -> None:
    assert client.post(NEW, {**SENT, **left_out, "do": do}).status_code == (302 if do == "save" else 200)
    for schedule in ExportSchedule.objects.exclude(owner=None):
        kept = {"time_zone": schedule.time_zone, "export_type": schedule.export["export_type"]}
        kept["catch_up"] = schedule.catch_up
        defaults = {"time_zone": "UTC", "export_type": "zip", "catch_up": "one"}
        (name,) = (name.removeprefix("in/") for name in left_out)
        assert kept[name] == defaults[name]


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"in/cron": "70 * * * *"}, "cron"),
        ({"in/cron": ""}, "cron"),
        ({"in/rhythm": '"interval"', "in/every": "5", "in/unit": '"seconds"'}, "every"),
        ({"in/rhythm": '"interval"', "in/every": "", "in/unit": '"hours"'}, "every"),
        ({"in/time_zone": '"Mars/Olympus"'}, "time_zone"),
        ({"in/name": "not a name"}, "name"),
        ({"in/notify_email": "nobody"}, "notify_email"),
        ({"in/notify_url": "http://10.0.0.1/x"}, "notify_url"),
        ({"in/keep_last": "0"}, "keep_last"),
        ({"in/keep_last": "1e308"}, "keep_last"),
        ({"in/catch_up_hours": "1e308"}, "catch_up_hours"),
        ({"in/catch_up_hours": "1e400"}, "catch_up_hours"),
        ({"in/rhythm": '"interval"', "in/every": "1e308", "in/unit": '"hours"'}, "every"),
        ({"in/selection/kind": '"owner"', "in/selection/owner": "nobody-there"}, "selection-owner"),
        ({"in/export_type": '"github"'}, "destination-credential"),
    ],
)
def test_errors_stand_at_their_fields(client: Client, changed: dict[str, str], place: str) -> None:
    answer = client.post(NEW, {**SENT, **changed, "do": "save"})
    assert answer.status_code == 422
    assert f'id="in-{place}-error"' in answer.text
    assert f'href="#in-{place}"' in answer.text
    assert not ExportSchedule.objects.exclude(owner=None).exists()


def test_a_schedule_is_changed(client: Client, nightly: ExportSchedule) -> None:
    page = client.get(at(nightly, "edit/")).text
    assert 'value="30 2 * * *"' in page
    assert '<option value="&quot;Europe/Berlin&quot;" selected>' in page
    changed = {**SENT, "in/name": "nightly", "in/rhythm": '"interval"', "in/every": "6", "in/unit": '"hours"'}
    assert client.post(at(nightly, "edit/"), {**changed, "do": "save"}).status_code == 302
    after = ExportSchedule.objects.get(pk=nightly.pk)
    assert (after.cron, after.interval_seconds, after.created_at) == ("", 21_600, nightly.created_at)
    assert after.next_due_at is not None
    assert after.next_due_at != nightly.next_due_at
    assert 'value="6"' in client.get(at(nightly, "edit/")).text


def test_changes_are_checked_and_not_lost(ada: User, nightly: ExportSchedule) -> None:
    stale = ExportSchedule.objects.select_related("owner").get(pk=nightly.pk)
    due = nightly.next_due_at
    changed = change_schedule(nightly, keep_last=3)
    assert (changed.keep_last, changed.next_due_at) == (3, due)
    with pytest.raises(Conflict):
        change_schedule(stale, keep_last=9)
    for wrong in ({"cron": "nonsense"}, {"time_zone": "Nowhere"}, {"export": {**WISH, "export_type": "rar"}}):
        fresh = ExportSchedule.objects.select_related("owner").get(pk=nightly.pk)
        with pytest.raises(InvalidInput):
            change_schedule(fresh, **wrong)
    same = ExportSchedule.objects.get(pk=nightly.pk)
    assert (same.keep_last, same.cron, same.export) == (3, "30 2 * * *", nightly.export)
    paused = ExportSchedule.objects.select_related("owner").get(pk=nightly.pk)
    ExportSchedule.objects.filter(pk=nightly.pk).update(enabled=False, next_due_at=None)
    with pytest.raises(Conflict):
        change_schedule(paused, cron="0 5 * * *")
    off = ExportSchedule.objects.select_related("owner").get(pk=nightly.pk)
    assert change_schedule(off, cron="0 5 * * *").next_due_at is None


def test_the_calendar_shows_what_comes_and_what_was(ada: User, client: Client, nightly: ExportSchedule) -> None:
    create_schedule(owner=ada, name="each-minute", interval_seconds=60, export=WISH)
    create_schedule(owner=ada, name="leap-day", cron="0 0 29 2 *", export=WISH)
    off = create_schedule(owner=ada, name="held-back", cron="0 1 * * *", export=WISH)
    ExportSchedule.objects.filter(pk=off.pk).update(enabled=False, next_due_at=None)
    ran(nightly, 30, "failed")
    for view in ("month", "week"):
        page = client.get(CALENDAR, {"view": view, "zone": "Europe/Berlin", "at": in_a_week()})
        assert page.status_code == 200
        assert "by the clock of Europe/Berlin" in page.text
        assert ("02:30", "nightly") in shown(page)
        assert "25 or more times" in page.text
        assert "held-back" not in page.text
    past = (timezone.now() - timedelta(hours=30)).date().isoformat()
    assert "nightly: Failed" in client.get(CALENDAR, {"at": past}).text
    utc = client.get(CALENDAR, {"view": "week", "at": in_a_week()})
    assert {when for when, name in shown(utc) if name == "nightly"} <= {"00:30", "01:30"}
    for odd in ("at=x", "at=0001-01-01", "at=9999-12-31", "zone=Mars", "view=year", "at=%00", "zone=../../etc/passwd"):
        assert client.get(f"{CALENDAR}?{odd}").status_code == 200


def test_days_of_the_clock_change_are_right(ada: User, client: Client) -> None:
    create_schedule(owner=ada, name="early", cron="30 2 * * *", time_zone="Europe/Berlin", export=WISH)
    spring = client.get(CALENDAR, {"at": "2027-03-28", "view": "week", "zone": "Europe/Berlin"})
    days = {day.day.isoformat(): [shown.when for shown in day.entries] for day in spring.context["weeks"][0]}
    assert (days["2027-03-27"], days["2027-03-28"]) == (["02:30"], ["03:00"])
    autumn = client.get(CALENDAR, {"at": "2027-10-31", "view": "week", "zone": "Europe/Berlin"})
    days = {day.day.isoformat(): [shown.when for shown in day.entries] for day in autumn.context["weeks"][0]}
    assert days["2027-10-31"] == ["02:30"]


@pytest.mark.parametrize(
    ("kind", "day", "first", "days", "before", "after"),
    [
        ("month", "2026-02-14", "2026-01-26", 35, "2026-01-01", "2026-03-01"),
        ("month", "2027-02-01", "2027-02-01", 28, "2027-01-01", "2027-03-01"),
        ("month", "2026-12-31", "2026-11-30", 35, "2026-11-01", "2027-01-01"),
        ("week", "2026-11-29", "2026-11-23", 7, "2026-11-22", "2026-12-06"),
    ],
)
def test_weeks_and_months(kind: str, day: str, first: str, days: int, before: str, after: str) -> None:
    view = CalendarView(kind, datetime.fromisoformat(day).date())
    assert (view.first.isoformat(), view.days) == (first, days)
    assert (view.before.isoformat(), view.after.isoformat()) == (before, after)


def test_pages_cost_the_same_whatever_they_hold(ada: User, client: Client, nightly: ExportSchedule) -> None:
    counts = []
    for number in (1, 9):
        for each in range(number):
            made = create_schedule(owner=ada, name=f"s{number}{each}", cron="0 * * * *", export=WISH)
            bulk = BulkExport.objects.create(
                key=f"{number}.{each}", export_type="zip", selection=WISH["selection"], created_by=ada
            )
            ran(made, each + 1)
            ran(nightly, 10 * number + each, bulk_export=bulk)
        counts.append(
            [queries(client, address) for address in (SCHEDULES, CALENDAR, at(nightly), at(nightly, "edit/"))]
        )
    assert counts[0] == counts[1]


def test_words_of_others_stay_words(client: Client, nightly: ExportSchedule) -> None:
    words = naughty()
    error = {"code": words[3][:60], "message": " ".join(words), "hint": words[0], "retryable": False}
    ran(nightly, 2, "failed", error=error)
    ran(nightly, 3, "skipped", reason=words[1])
    ExportSchedule.objects.filter(pk=nightly.pk).update(
        name=words[2][:100],
        notify_url=words[4],
        notify_email=[words[5]],
        export={**nightly.export, "destination": {words[6]: words[7]}},
    )
    for address in (SCHEDULES, CALENDAR, at(nightly), at(nightly, "edit/")):
        page = client.get(address)
        assert page.status_code == 200
        assert_only_text(page.text, words)
    assert_only_text(client.post(NEW, {**SENT, "in/name": words[0], "in/cron": words[1], "do": "save"}).text, words)


def test_a_day_in_utc_is_not_a_day_elsewhere(ada: User, client: Client) -> None:
    create_schedule(owner=ada, name="late", cron="30 23 * * *", export=WISH)
    page = client.get(CALENDAR, {"at": "2027-05-05", "view": "week", "zone": "Asia/Tokyo"})
    first = page.context["weeks"][0][0].entries[0].entry.times[0]
    assert first.astimezone(UTC).hour == 23
    assert (first.hour, first.minute) == (8, 30)
