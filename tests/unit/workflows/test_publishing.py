"""What a message holds."""

import json

import pytest
from kombu.exceptions import OperationalError

from backend.apps.workflows.models import TaskExecution
from backend.apps.workflows.publishing import publish_chain
from backend.config.celery import app


@pytest.fixture
def sent(monkeypatch):
    """What Celery hands to the broker: (routing key, headers, body)."""
    found = []

    def send(producer, name, message, **options):
        found.append((options.get("queue") or options.get("routing_key"), message.headers, message.body))

    monkeypatch.setattr(type(app.amqp), "send_task_message", property(lambda self: send))
    return found


def task(method="generation.generate", **more):
    return TaskExecution(
        method=method,
        description="demo · files · generation.generate",
        arguments={"structure": {"s3cret.py": "content"}},
        **more,
    )


def test_a_message_holds_ids_and_a_readable_line(sent):
    links = [task(), task("generation.package_project"), task("export.export_to_git", timeout_seconds=60)]
    assert publish_chain(links)

    (_, headers, body) = sent[0]
    text = json.dumps(body, default=str)
    assert headers["id"] == str(links[0].pk)
    assert headers["argsrepr"] == "demo · files · generation.generate"
    assert body[0] == (str(links[0].pk),)
    assert body[1] == {}
    following = body[2]["chain"]
    assert [each["args"] for each in reversed(following)] in (
        [(str(link.pk),) for link in links[1:]],
        [[str(link.pk)] for link in links[1:]],
    )
    assert following[0]["options"]["time_limit"] == 90
    assert following[0]["immutable"] is True
    assert "s3cret" not in text
    assert "content" not in text


def test_a_dead_broker_is_no_error(monkeypatch, caplog):
    def dead(*args, **kwargs):
        raise OperationalError("redis://:p4ssword@host")

    monkeypatch.setattr(
        "backend.apps.workflows.publishing.chain", lambda *links: type("C", (), {"apply_async": dead})()
    )
    assert publish_chain([task()]) is False
    assert "p4ssword" not in caplog.text
