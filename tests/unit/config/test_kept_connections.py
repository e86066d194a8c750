"""Pool processes keep their database connection, and get a new one after it has failed."""

import pytest
from celery.signals import task_prerun
from django.db import connections

from backend.config.celery import app, keep_connections


@pytest.fixture
def kept(monkeypatch):
    settings = dict(connections.settings["default"])
    monkeypatch.setitem(connections.settings, "default", settings)
    keep_connections()
    return settings


def test_a_worker_keeps_connections_for_ever_and_celery_does_not_close_them(kept):
    assert kept["CONN_MAX_AGE"] is None
    assert app.conf.get("CELERY_DB_REUSE_MAX") > 10**9


@pytest.mark.parametrize(("failed", "usable", "closed"), [(False, False, 0), (True, True, 0), (True, False, 1)])
@pytest.mark.django_db(transaction=True)
def test_before_a_task_a_connection_that_has_failed_is_dropped_and_no_other(monkeypatch, failed, usable, closed):
    connection = connections["default"]
    connection.ensure_connection()
    closings = []
    monkeypatch.setattr(connection, "close", lambda: closings.append(1))
    monkeypatch.setattr(connection, "is_usable", lambda: usable)
    monkeypatch.setattr(connection, "errors_occurred", failed)
    monkeypatch.setattr(connection, "close_at", None)
    task_prerun.send(sender=app)
    assert len(closings) == closed
