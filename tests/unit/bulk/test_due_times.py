"""When schedules are due, on ordinary days and on those of the clock change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from backend.apps.exports.due_times import Rhythm, decide_due, due_after, next_times, read_rhythm, times_by_day
from backend.errors import InvalidInput


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "zone", "after", "times"),
    [
        # Berlin leaves out 02:00 to 03:00 on 29 March 2026: it is due right after, once.
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-27T12:00",
            ["2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30"],
        ),
        # and has that hour twice on 25 October 2026: it is due once.
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00",
            ["2026-10-25T00:30", "2026-10-26T01:30", "2026-10-27T01:30"],
        ),
        # Every hour is every hour, by real time.
        (
            "0 * * * *",
            "Europe/Berlin",
            "2026-10-24T23:30",
            ["2026-10-25T00:00", "2026-10-25T01:00", "2026-10-25T02:00"],
        ),
        # The same wall clock on both sides of the change, on the other half of the earth.
        (
            "0 22 * * *",
            "America/New_York",
            "2026-03-07T00:00",
            ["2026-03-07T03:00", "2026-03-08T03:00", "2026-03-09T02:00"],
        ),
        ("0 0 1 * *", "UTC", "2026-01-15T00:00", ["2026-02-01T00:00", "2026-03-01T00:00", "2026-04-01T00:00"]),
        # A zone whose change is at midnight: the day begins at 01:00.
        (
            "0 0 * * *",
            "America/Santiago",
            "2026-09-05T12:00",
            ["2026-09-06T04:00", "2026-09-07T03:00", "2026-09-08T03:00"],
        ),
    ],
)
def test_cron(cron, zone, after, times):
    found = next_times(Rhythm(cron=cron, time_zone=zone), after=at(after), count=3)
    assert [time.astimezone(UTC) for time in found] == [at(time) for time in times]
    assert str(found[0].tzinfo) == zone


@pytest.mark.parametrize(
    ("cron", "zone", "after", "following"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10", "2026-10-26T01:30"),
        ("30 0,2 * * *", "America/Havana", "2026-11-01T05:10", "2026-11-01T07:30"),
    ],
)
def test_in_the_hour_that_comes_twice_nothing_is_due_before_the_time_that_is_asked_for(cron, zone, after, following):
    assert due_after(Rhythm(cron=cron, time_zone=zone), at(after)) == at(following)


def test_an_interval_counts_from_its_beginning_and_knows_no_clock_change():
    rhythm = Rhythm(interval_seconds=3600, begins_at=at("2026-03-29T00:10"), time_zone="Europe/Berlin")
    assert due_after(rhythm, at("2026-03-29T00:30")) == at("2026-03-29T01:10")
    assert due_after(rhythm, at("2026-03-29T01:10")) == at("2026-03-29T02:10")
    assert due_after(rhythm, at("2026-03-28T00:00")) == at("2026-03-29T01:10")


@pytest.mark.parametrize(
    ("now", "catch_up", "within", "start", "missed"),
    [
        ("2026-01-01T01:59", "one", 24, [], 0),
        ("2026-01-01T02:00", "none", 24, ["2026-01-01T02:00"], 0),
        ("2026-01-01T02:30", "none", 24, [], 1),
        ("2026-01-01T02:30", "one", 24, ["2026-01-01T02:00"], 0),
        ("2026-01-04T01:00", "none", 24, [], 3),
        ("2026-01-04T01:00", "one", 24, ["2026-01-03T02:00"], 2),
        ("2026-01-04T01:00", "one", 12, [], 3),
        ("2026-01-04T01:00", "all", 48, ["2026-01-02T02:00", "2026-01-03T02:00"], 1),
        ("2026-01-04T02:00", "all", 24, ["2026-01-03T02:00", "2026-01-04T02:00"], 2),
    ],
)
def test_what_is_started_after_a_pause(now, catch_up, within, start, missed):
    due = decide_due(
        Rhythm(cron="0 2 * * *"),
        next_due_at=at("2026-01-01T02:00"),
        now=at(now),
        catch_up=catch_up,
        within=timedelta(hours=within),
        late=timedelta(minutes=5),
    )
    assert (list(due.start), due.missed) == ([at(time) for time in start], missed)
    assert due.next_due_at > at(now)


def test_years_of_missed_minutes_are_cut_short():
    due = decide_due(
        Rhythm(cron="* * * * *"),
        next_due_at=at("2026-01-01T00:00"),
        now=at("2026-01-08T00:00"),
        catch_up="all",
        within=timedelta(days=30),
        late=timedelta(0),
    )
    assert len(due.start) == 1000
    assert due.start[-1] == at("2026-01-08T00:00")


@pytest.mark.parametrize(
    ("rhythm", "field"),
    [
        ({"cron": "", "interval_seconds": None}, "cron"),
        ({"cron": "0 0 * * *", "interval_seconds": 60}, "cron"),
        ({"cron": "0 0 * *"}, "cron"),
        ({"cron": "61 0 * * *"}, "cron"),
        ({"cron": "* 0 0 * * *"}, "cron"),
        ({"cron": "0 0 31 2 *"}, "cron"),
        ({"cron": "0 0 * * *", "time_zone": "Mars/Olympus"}, "time_zone"),
        ({"interval_seconds": 59}, "interval_seconds"),
    ],
)
def test_what_is_no_rhythm(rhythm, field):
    with pytest.raises(InvalidInput) as refused:
        read_rhythm(**{"cron": "", "interval_seconds": None, "time_zone": "UTC"} | rhythm)
    assert refused.value.place["field"] == field


def told(rhythm: Rhythm, zone: str, first: str, *, days: int = 7, after: str = "2026-01-01", most: int = 3):
    found = times_by_day(
        rhythm, first=date.fromisoformat(first), days=days, zone=ZoneInfo(zone), after=at(after), most=most
    )
    return {day.isoformat(): [f"{time:%H:%M}" for time in times] for day, times in found.items()}


def test_times_of_days_are_those_of_the_readers_clock():
    late = Rhythm(cron="30 23 * * *")
    assert told(late, "Asia/Tokyo", "2026-05-05", days=2) == {"2026-05-05": ["08:30"], "2026-05-06": ["08:30"]}
    assert told(late, "UTC", "2026-05-05", days=2, after="2026-05-06T00:00") == {"2026-05-06": ["23:30"]}
    midnight = Rhythm(cron="0 0 * * *", time_zone="Europe/Berlin")
    assert told(midnight, "Europe/Berlin", "2026-03-28", days=3) == {
        f"2026-03-{day}": ["00:00"] for day in (28, 29, 30)
    }
    # Santiago leaves out the hour after midnight on 6 September 2026.
    each = told(Rhythm(cron="0 * * * *"), "America/Santiago", "2026-09-05", days=2, most=2)
    assert each == {"2026-09-05": ["00:00", "01:00"], "2026-09-06": ["01:00", "02:00"]}


def test_what_is_due_often_is_passed_over_for_the_rest_of_its_day():
    each = Rhythm(interval_seconds=60, begins_at=at("2026-01-01"))
    assert told(each, "UTC", "2026-05-05", days=3) == {
        f"2026-05-0{day}": ["00:00", "00:01", "00:02"] for day in (5, 6, 7)
    }
    assert told(Rhythm(cron="0 0 29 2 *"), "UTC", "2026-05-05", days=35) == {}
