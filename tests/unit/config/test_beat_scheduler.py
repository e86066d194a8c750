"""Beat lets go of a connection by which it could not send."""

from __future__ import annotations

from typing import Any

import pytest
from celery.beat import SchedulingError
from django_celery_beat.schedulers import DatabaseScheduler

from backend.config.beat_scheduler import Scheduler


class Connection:
    collected = False

    def collect(self) -> None:
        self.collected = True


@pytest.mark.parametrize("fails", [True, False])
def test_a_connection_is_kept_as_long_as_it_sends(monkeypatch: pytest.MonkeyPatch, fails: bool):
    def send(*_: Any, **__: Any) -> None:
        if fails:
            raise SchedulingError("closed")

    monkeypatch.setattr(DatabaseScheduler, "apply_async", send)
    scheduler = Scheduler.__new__(Scheduler)
    connection = Connection()
    scheduler.__dict__.update(producer=object(), connection=connection)
    if fails:
        with pytest.raises(SchedulingError):
            scheduler.apply_async("entry")
    else:
        scheduler.apply_async("entry")
    assert connection.collected is fails
    assert ("producer" in scheduler.__dict__, "connection" in scheduler.__dict__) == (not fails, not fails)
