"""Pacing: pure arithmetic, tried against a server that enforces the limits on a fast clock; and its store in Redis."""

from __future__ import annotations

import threading
from collections import deque
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from backend.apps.authentication.models import User
from backend.apps.credentials.models import Credential
from backend.apps.exports import pacing
from backend.apps.exports.pacing import (
    CREATIONS,
    GITHUB,
    GITLAB,
    POINTS,
    REQUESTS,
    SHARE,
    Account,
    Limit,
    State,
    Use,
    forecast,
    forgotten,
    known_limits,
    next_slot,
)
from backend.apps.exports.quota_selectors import quotas_of
from backend.apps.exports.services.pacing_store import Pacer
from backend.apps.projects.hosts.answers import Answer
from backend.apps.workflows.decisions.retry import Again, decide_retry
from backend.cli.stack.broker import EmbeddedBroker
from backend.errors import RateLimited, TemporaryFailure
from backend.metrics.present import of_quotas

NEW = Use.of_new_repository("github")
ACCOUNT = Account(kind="github", key="a")


class Host:
    """Enforces limits as a host does: it counts what comes in any stretch of time, and refuses what is too much."""

    def __init__(self, limits):
        self.limits = limits
        self.came: dict[Limit, deque[tuple[float, int]]] = {limit: deque() for limit in limits}
        self.refused = 0

    def use(self, use: Use, *, at: float) -> None:
        for limit in self.limits:
            came = self.came[limit]
            while came and came[0][0] <= at - limit.seconds:
                came.popleft()
            if sum(units for _, units in came) + use.of(limit.what) > limit.units:
                self.refused += 1
                return
        for limit in self.limits:
            self.came[limit].append((at, use.of(limit.what)))


@pytest.mark.parametrize(
    ("limits", "count", "use", "spacing"),
    [
        (GITHUB, 700, NEW, 1.0),
        (GITHUB, 1500, Use.of_known_repository("github"), 0.0),
        (GITLAB, 500, Use(5, 0, 1), 0.0),
    ],
)
def test_a_plan_is_never_refused(limits, count, use, spacing):
    host, state, now = Host(limits), State(), 1_000_000.0
    for _ in range(count):
        now, _ = next_slot(limits, state, use=use, now=now, spacing=spacing)
        state = State((*state.used[-3000:], (now, use)))
        host.use(use, at=now)
    assert host.refused == 0
    told = forecast(limits, State(), uses=[use] * count, now=1_000_000.0, spacing=spacing)
    assert told.seconds == pytest.approx(now - 1_000_000.0)


def test_four_hundred_repositories_end_within_their_first_hour_and_six_hundred_do_not():
    four = forecast(GITHUB, State(), uses=[NEW] * 400, now=0.0, spacing=1.0)
    six = forecast(GITHUB, State(), uses=[NEW] * 600, now=0.0, spacing=1.0)
    assert 400 / 53 * 60 - 120 < four.seconds < 600
    assert four.bound_by == "900 points in a minute"
    assert 3600 <= six.seconds < 3800
    assert "500 creations in an hour" in str(six.bound_by) or six.bound_by == "900 points in a minute"


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (State(), 100.0),
        (State(blocked_until=160.0), 160.0),
        (State(blocked_until=50.0), 100.0),
        (State(remaining=4, reset_at=900.0), 900.0),
        (State(remaining=5, reset_at=900.0), 100.0),
        (State(remaining=0, reset_at=90.0), 100.0),
        (State(used=((130.0, NEW),)), 131.0),
        (State(used=((99.5, NEW),)), 100.5),
    ],
)
def test_the_next_slot(state, expected):
    assert next_slot((), state, use=NEW, now=100.0, spacing=1.0)[0] == expected


def test_a_use_larger_than_a_limit_waits_for_all_of_it_and_not_for_ever():
    assert next_slot((Limit(POINTS, 10, 60),), State(((100.0, NEW),)), use=NEW, now=100.0)[0] == 160.0


def test_a_server_of_ones_own_has_no_published_limits():
    assert known_limits(Account(kind="github", key="x", public=False)) == ()
    assert {limit.what for limit in known_limits(ACCOUNT)} == {CREATIONS, POINTS, REQUESTS}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("r")
    with EmbeddedBroker(folder):
        yield redis.Redis(unix_socket_path=str(folder / "redis.sock"))


@pytest.fixture
def connection(server):
    server.flushall()
    return server


def test_all_workers_share_one_plan(connection):
    now = 1_000_000.0
    places: list[float] = []

    def worker(name):
        pacer = Pacer(ACCOUNT, connection=connection, clock=lambda: now)
        for number in range(20):
            key = f"{name}-{number}"
            place = pacer.book(key, NEW)
            # Whoever asks again keeps its place.
            assert pacer.book(key, NEW) == place
            places.append(place)

    threads = [threading.Thread(target=worker, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(places)) == 80
    host = Host(GITHUB)
    for place in sorted(places):
        host.use(NEW, at=place)
    assert host.refused == 0


def test_nothing_is_sent_while_the_host_asks_to_wait(connection):
    now = [1_000_000.0]
    pacer = Pacer(ACCOUNT, connection=connection, clock=lambda: now[0])
    other = Pacer(ACCOUNT, connection=connection, clock=lambda: now[0])
    pacer.before("POST")
    body = b'{"message": "You have exceeded a secondary rate limit"}'
    pacer.after(Answer(403, {"retry-after": "120"}, body))
    for method in ("GET", "POST"):
        with pytest.raises(RateLimited) as refused:
            other.before(method)
        assert refused.value.retry_after == pytest.approx(120, abs=1)
    assert other.book("k", NEW) >= now[0] + 119
    now[0] += 121
    other.before("GET")


def test_a_place_from_before_a_wait_is_given_anew(connection):
    now = [1_000_000.0]
    pacer = Pacer(ACCOUNT, connection=connection, clock=lambda: now[0])
    assert pacer.book("k", NEW) == now[0]
    pacer.after(Answer(429, {"retry-after": "60"}))
    assert pacer.book("k", NEW) >= now[0] + 59
    with pytest.raises(RateLimited):
        pacer.wait_for_place("k", NEW)


def test_the_hosts_own_count_is_learned(connection):
    now = 1_000_000.0
    pacer = Pacer(ACCOUNT, connection=connection, clock=lambda: now)
    pacer.after(Answer(200, {"x-ratelimit-remaining": "3", "x-ratelimit-reset": "1000900"}))
    assert pacer.book("k", NEW) == 1_000_900.0


def test_what_the_host_has_left_is_left_until_its_own_clock_says_so(connection):
    now = 1_000_000.0
    pacer = Pacer(ACCOUNT, connection=connection, clock=lambda: now)
    date = format_datetime(datetime.fromtimestamp(now - 600, tz=UTC), usegmt=True)
    pacer.after(Answer(200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(now) - 540), "date": date}))
    assert pacer.book("k", NEW) == now + 60


def test_those_who_ask_at_once_share_what_the_host_has_left(connection):
    now = 1_000_000.0
    pacer = Pacer(Account(kind="gitlab", key="mine", public=False), connection=connection, clock=lambda: now)
    pacer.after(Answer(200, {"ratelimit-remaining": "12", "ratelimit-reset": "1000060"}))
    use = Use.of_new_repository("gitlab")
    assert [pacer.book(f"k{number}", use) for number in range(4)] == [now, now, now + 60, now + 60]
    told = forecast((), pacer.state(), uses=[use], now=now)
    assert (told.seconds, told.bound_by) == (60.0, "the host's own count of requests")


def test_a_forecast_counts_what_the_host_has_left():
    state = State(remaining=12, reset_at=160.0)
    assert forecast((), state, uses=[NEW] * 2, now=100.0).seconds == 0.0
    assert forecast((), state, uses=[NEW] * 3, now=100.0).seconds == 60.0


def test_only_what_a_limit_counts_is_kept():
    look, make = Use(requests=2), Use(requests=5, creations=1)
    state = State(used=((0.0, make), (10.0, look), (900.0, look), (970.0, make)))
    kept = forgotten(state, limits=GITLAB, now=1000.0)
    assert kept.used == ((0.0, make), (970.0, make))
    assert forgotten(State(used=((0.0, look),)), limits=GITLAB, now=1000.0).used == ((0.0, look),)


def test_a_forecast_of_many_costs_as_much_for_each_as_one_of_few():
    known, placed = Use.of_known_repository("github"), []

    class Counting(pacing._Window):
        def fits_at(self, use):
            before = len(self._taken)
            found = super().fits_at(use)
            placed.append(before - len(self._taken) + 1)
            return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pacing, "_Window", Counting)
        forecast(GITHUB, State(), uses=[known] * 20_000, now=0.0)
    # Each looks once, and nothing that was let in is let go more than once.
    assert sum(placed) <= 20_000 * len(GITHUB) * 2


def test_requests_are_counted_over_all_workers(connection, monkeypatch):
    monkeypatch.setattr("backend.apps.exports.services.pacing_store.known_limits", lambda _: (Limit(POINTS, 12, 60),))
    first, second = Pacer(ACCOUNT, connection=connection), Pacer(ACCOUNT, connection=connection)
    first.before("POST")
    second.before("POST")
    second.before("GET")
    with pytest.raises(RateLimited, match="12 points in a minute"):
        first.before("POST")


def test_a_flushed_redis_begins_anew_and_one_that_is_gone_is_said(connection, tmp_path):
    pacer = Pacer(ACCOUNT, connection=connection)
    pacer.book("k", NEW)
    connection.flushall()
    assert pacer.state() == State()
    pacer.wait_for_place("k", NEW)
    gone = Pacer(
        ACCOUNT, connection=redis.Redis(unix_socket_path=str(tmp_path / "nothing"), retry=Retry(NoBackoff(), 0))
    )
    with pytest.raises(TemporaryFailure) as unavailable:
        gone.wait_for_place("k", NEW)
    # However long it is away: with another broker beside it, tasks go on coming, and none may fail for that.
    again = decide_retry(unavailable.value, retries=10, max_retries=10, jitter=0.0)
    assert again == Again(5.0, parked=False, counted=False)
    gone.before("GET")
    gone.after(Answer(429, {}))
    assert gone.state() == State()


def test_what_is_left_is_told_by_credential_and_limit(connection, monkeypatch):
    now = datetime(2026, 11, 25, 12, tzinfo=UTC)
    clock = now.timestamp
    monkeypatch.setattr("backend.apps.exports.services.pacing_store.client", lambda: connection)
    mine = Pacer(ACCOUNT, connection=connection, clock=clock)
    mine.introduce("ada/acme-bot")
    mine.book("k", NEW)
    mine.after(Answer(200, {"x-ratelimit-remaining": "4321", "x-ratelimit-reset": str(int(clock()) + 900)}))
    of_a_run = [
        Pacer(Account(kind="gitlab", key=key, public=False), connection=connection, clock=clock) for key in "bc"
    ]
    for pacer, requests in zip(of_a_run, ("7", "5"), strict=True):
        pacer.introduce("")
        pacer.after(Answer(200, {"ratelimit-remaining": requests, "ratelimit-reset": str(int(clock()) + 60)}))
    of_a_run[0].after(Answer(429, {"retry-after": "30"}))
    Pacer(Account(kind="github", key="never asked"), connection=connection).introduce("ada/unused")

    found: dict[Any, float] = of_quotas(now=now)
    left = {labels: value for (name, labels), value in found.items() if name == "repomill_quota_left"}
    assert left["github", "ada/acme-bot", "requests told by the host"] == 4321
    assert left["github", "ada/acme-bot", "creations in a minute"] == int(80 * SHARE) - 1
    assert {limit for host, _, limit in left if host == "github"} == {
        "requests told by the host",
        *(limit.name for limit in GITHUB),
    }
    assert left["gitlab", "a token of one run", "requests told by the host"] == 5
    assert found["repomill_quota_wait_seconds", ("gitlab", "a token of one run")] == pytest.approx(30, abs=1)
    assert found["repomill_quota_wait_seconds", ("github", "ada/acme-bot")] == 0
    assert "unused" not in str(found)
    assert set(connection.hkeys("repomill:paced-accounts")) == {b"a", b"b", b"c"}
    mine.after(Answer(429, {"retry-after": "60"}))
    bot, others = (Credential(name="acme-bot", host="github", owner=User(username=name)) for name in ("ada", "bob"))
    told = quotas_of([bot, others], now=now)
    assert told is not None
    assert set(told) == {bot.pk}
    assert (told[bot.pk].left[0].number, told[bot.pk].left[0].host_says) == (4321, True)
    assert told[bot.pk].until == now + timedelta(seconds=60)
    connection.flushall()
    assert of_quotas(now=now) == {}
    assert quotas_of([bot], now=now) == {}


def test_no_quota_is_told_where_redis_is_gone(monkeypatch, tmp_path):
    gone = redis.Redis(unix_socket_path=str(tmp_path / "nothing"), retry=Retry(NoBackoff(), 0))
    monkeypatch.setattr("backend.apps.exports.services.pacing_store.client", lambda: gone)
    Pacer(ACCOUNT, connection=gone).introduce("ada/acme-bot")
    assert of_quotas(now=datetime.now(UTC)) == {}
    assert quotas_of([], now=datetime.now(UTC)) is None


@pytest.mark.parametrize(
    ("remaining", "reset"), [("0", "1790000060000"), ("0", "9" * 400), ("9" * 5000, "1"), ("0", "soon"), ("-1", "1")]
)
def test_a_count_that_cannot_be_is_not_believed(connection, remaining, reset):
    pacer = Pacer(ACCOUNT, connection=connection, clock=lambda: 1_790_000_000.0)
    pacer.after(Answer(200, {"x-ratelimit-remaining": remaining, "x-ratelimit-reset": reset}))
    assert pacer.state() == State()
    pacer.wait_for_place("k", NEW)
