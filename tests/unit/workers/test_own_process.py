import logging
import os
import signal
import sys
import threading
import time

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import connection
from kombu import pools

from backend.config.celery import app
from tests.processes import is_there
from workers import pool_process
from workers.maintenance import own_process
from workers.maintenance.own_process import MaintenanceTask, do, in_a_process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks are made on Linux alone")


@pytest.fixture
def in_a_pool(monkeypatch):
    monkeypatch.setattr(pool_process, "_here", True)


def a_task(run):
    return type("Task", (MaintenanceTask,), {"name": "maintenance.test", "run": staticmethod(run)})()


def test_a_periodic_task_of_a_pool_process_is_done_by_another_that_ends_with_it(in_a_pool, tmp_path):
    said = tmp_path / "said"
    a_task(lambda: said.write_text(f"{os.getpid()} {os.getppid()}"))()
    pid, parent = map(int, said.read_text().split())
    assert parent == os.getpid()
    assert not is_there(pid)


def test_outside_of_a_pool_it_is_done_where_it_is():
    where = []
    a_task(lambda: where.append(os.getpid()))()
    assert where == [os.getpid()]


def test_all_that_beat_asks_for_is_done_so():
    app.loader.import_default_modules()
    names = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert names == {name for name, task in app.tasks.items() if isinstance(task, MaintenanceTask)}


def test_its_work_has_a_database_connection_of_its_own(db, tmp_path):
    connection.ensure_connection()
    said = tmp_path / "said"

    def work():
        kept = connection.connection
        connection.ensure_connection()
        said.write_text(f"{kept is None} {connection.connection is not None}")

    ours = connection.connection
    assert in_a_process(work, name="maintenance.test") == 0
    assert said.read_text() == "True True"
    assert connection.connection is ours
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


def test_its_work_uses_none_of_the_brokers_connections(tmp_path):
    with app.pool.acquire(block=True) as acquired:
        ours = acquired
    said = tmp_path / "said"

    def work():
        with app.pool.acquire(block=True) as its:
            said.write_text(f"{its is ours}")

    assert in_a_process(work, name="maintenance.test") == 0
    assert said.read_text() == "False"
    with app.pool.acquire(block=True) as again:
        assert again is ours
    assert pools.connections


def test_what_it_raises_is_logged_and_no_more(caplog, monkeypatch):
    monkeypatch.setattr(own_process, "_forget_the_brokers_connections", lambda: None)
    assert do(lambda: 1 / 0, name="maintenance.test") == 1
    (record,) = caplog.records
    assert record.getMessage() == "maintenance.test failed"
    assert record.exc_info[0] is ZeroDivisionError
    assert do(lambda: None, name="maintenance.test") == 0


def test_one_that_cannot_be_begun_is_told_of(monkeypatch, tmp_path):
    monkeypatch.setattr(own_process, "_forget_the_brokers_connections", lambda: 1 / 0)
    handler = logging.FileHandler(tmp_path / "log")
    own_process.logger.addHandler(handler)
    try:
        assert in_a_process(lambda: None, name="maintenance.test") == 1
    finally:
        own_process.logger.removeHandler(handler)
        handler.close()
    told = (tmp_path / "log").read_text()
    assert told.startswith("maintenance.test could not be begun\n")
    assert "ZeroDivisionError" in told


def test_one_that_is_killed_is_told_of(in_a_pool, caplog):
    a_task(lambda: os.kill(os.getpid(), signal.SIGKILL))()
    assert [record.getMessage() for record in caplog.records] == ["maintenance.test was ended by SIGKILL"]


def test_one_that_fails_leaves_the_pool_process_to_its_next_task(in_a_pool, caplog):
    a_task(lambda: 1 / 0)()
    assert caplog.records == []  # It is logged by the process that failed.


def test_a_time_limit_ends_it(tmp_path):
    said = tmp_path / "said"

    def work():
        said.write_text(str(os.getpid()))
        time.sleep(60)

    def stop():
        while not said.exists() or not said.read_text():
            time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    def on_signal(number, frame):
        raise SoftTimeLimitExceeded

    before = signal.signal(signal.SIGUSR1, on_signal)
    thread = threading.Thread(target=stop)
    try:
        thread.start()
        with pytest.raises(SoftTimeLimitExceeded):
            in_a_process(work, name="maintenance.test")
    finally:
        signal.signal(signal.SIGUSR1, before)
        thread.join()
    assert not is_there(int(said.read_text()))
