"""Whoever is to be told of a failed run is told once, signed, by each of the ways, whatever the other does."""

from __future__ import annotations

import hmac
import json
import socket
import threading
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.core import mail

from backend.apps.exports.models import ScheduleRun
from backend.apps.exports.services import notifying
from backend.apps.exports.services.notifying import SIGNATURE, notify_about, signing_key
from backend.apps.exports.services.schedule_runs import do_round
from backend.apps.exports.services.schedules import change_schedule, create_schedule
from backend.errors import RemoteRefused
from tests.unit.bulk.nightly import ZIP, moment, runs

pytestmark = pytest.mark.django_db


class Receiver:
    """A real HTTP server that keeps what it is sent."""

    def __init__(self) -> None:
        self.got: list[tuple[str, bytes]] = []
        self.status = 204
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((self.headers[SIGNATURE], body))
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                return

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def receiver():
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield receiver
    receiver.server.shutdown()
    thread.join()
    receiver.server.server_close()


def fail_a_run(world, nightly, **wanted):
    """Return a schedule whose first run has failed, which nobody has been told yet."""
    world.projects(1)
    schedule = nightly(**wanted)

    def refuse(claimed):
        raise RemoteRefused("no")

    do_round(now=moment("2026-01-02T02:00"))
    world.work(1)
    world.service = refuse
    world.work()
    return schedule


def test_a_failed_run_is_told_once_and_signed(world, nightly, receiver):
    schedule = fail_a_run(world, nightly, notify_url=receiver.url, notify_email=["ops@example.org"])
    receiver.status = 500
    do_round(now=moment("2026-01-02T02:01"))
    assert runs() == [("01-02T02:00", "failed")]
    receiver.status = 204
    do_round(now=moment("2026-01-02T02:01"))
    assert len(receiver.got) == 1
    for minute in (5, 6):
        do_round(now=moment(f"2026-01-02T02:0{minute}"))
    assert len(receiver.got) == 2
    header, body = receiver.got[-1]
    seconds, digest = (part.partition("=")[2] for part in header.split(","))
    expected = hmac.new(signing_key(schedule).encode(), f"{seconds}.".encode() + body, sha256).hexdigest()
    assert digest == expected
    assert json.loads(body)["error"]["code"] == "items_failed"
    assert [message.to for message in mail.outbox] == [["ops@example.org"]]


def nobody_listens() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_what_was_told_is_not_told_again_because_the_mail_does_not_get_out(world, nightly, receiver, settings):
    working = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", nobody_listens()
    fail_a_run(world, nightly, notify_url=receiver.url, notify_email=["ops@example.org"])
    for minute in (1, 2, 5):
        do_round(now=moment(f"2026-01-02T02:0{minute}"))
    assert (len(receiver.got), len(mail.outbox)) == (1, 0)
    run = ScheduleRun.objects.get()
    assert (run.notified_at, run.notified_email_at, run.notify_failures) == (None, None, 3)
    assert run.notified_url_at == moment("2026-01-02T02:01")
    settings.EMAIL_BACKEND = working
    for minute in (20, 21):
        do_round(now=moment(f"2026-01-02T02:{minute}"))
    assert (len(receiver.got), len(mail.outbox)) == (1, 1)
    assert ScheduleRun.objects.get().notified_at == moment("2026-01-02T02:20")


def test_the_mail_goes_out_whatever_the_other_way_does_and_once(world, nightly, receiver):
    receiver.status = 500
    fail_a_run(world, nightly, notify_url=receiver.url, notify_email=["ops@example.org"])
    for minute in (1, 2, 5):
        do_round(now=moment(f"2026-01-02T02:0{minute}"))
    assert (len(receiver.got), len(mail.outbox)) == (3, 1)
    receiver.status = 204
    for minute in (20, 21):
        do_round(now=moment(f"2026-01-02T02:{minute}"))
    assert (len(receiver.got), len(mail.outbox)) == (4, 1)


def failed_run(schedule, at, **more):
    return ScheduleRun.objects.create(
        schedule=schedule, due_at=at, status="failed", completed_at=at, error={"code": "x", "message": "y"}, **more
    )


def test_who_is_named_later_is_told_of_what_fails_from_then_on(nightly):
    schedule = nightly()
    for day in range(2, 12):
        failed_run(schedule, moment(f"2026-01-{day:02}T02:00"))
    schedule = change_schedule(schedule, notify_email=["ops@example.org"])
    notify_about(now=moment("2026-01-12T12:00"))
    assert mail.outbox == []
    failed_run(schedule, moment("2026-01-13T02:00"))
    notify_about(now=moment("2026-01-13T02:01"))
    assert len(mail.outbox) == 1


def test_those_who_do_not_answer_keep_nobody_else_waiting(world, nightly):
    silent = nightly(notify_url="https://example.org/hook")
    other = create_schedule(
        owner=world.user, name="other", export=ZIP, cron="0 3 * * *", notify_email=["ops@example.org"]
    )
    for second in range(20):
        failed_run(silent, moment(f"2026-01-02T02:00:{second:02}"), notify_failures=5)
    failed_run(other, moment("2026-01-02T02:01"))
    notify_about(now=moment("2026-01-02T02:02"))
    assert [message.to for message in mail.outbox] == [["ops@example.org"]]


def test_one_round_waits_for_one_who_does_not_answer_and_leaves_the_others_to_the_next(nightly, monkeypatch):
    monkeypatch.setattr(notifying, "SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        schedule = nightly(notify_url=f"http://127.0.0.1:{silent.getsockname()[1]}/hook")
        for second in range(3):
            failed_run(schedule, moment(f"2026-01-02T02:00:0{second}"))
        for tried in (1, 2, 3):
            notify_about(now=moment("2026-01-02T02:00:10"))
            assert ScheduleRun.objects.filter(notify_failures=1).count() == tried


def test_a_mail_server_that_says_nothing_is_not_waited_for_without_end(settings):
    assert 0 < settings.EMAIL_TIMEOUT <= 30
