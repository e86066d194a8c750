"""What each event adds to which counter."""

from typing import Any
from uuid import uuid4

import pytest

from backend.metrics.increments import Event, count

RUN = uuid4()


@pytest.mark.parametrize(
    ("kind", "data", "series"),
    [
        ("execution_started", {}, ("repomill_runs_started_total", ())),
        ("execution_completed", {}, ("repomill_runs_total", ("completed",))),
        ("execution_cancelled", {}, ("repomill_runs_total", ("cancelled",))),
        ("step_completed", {}, ("repomill_steps_total", ("api_call", "completed"))),
        ("step_skipped", {}, ("repomill_steps_total", ("api_call", "skipped"))),
        ("lease_expired", {}, ("repomill_lease_takeovers_total", ())),
        ("task_completed", {"method": "m"}, ("repomill_attempts_total", ("m", "completed"))),
        ("task_cancelled", {"method": "m"}, ("repomill_attempts_total", ("m", "cancelled"))),
        ("task_failed", {"method": "m", "error": {"code": "x"}}, ("repomill_attempts_total", ("m", "failed"))),
        ("task_failed", {"method": "m", "error": {"code": "in_doubt"}}, ("repomill_attempts_total", ("m", "in_doubt"))),
        ("task_completed", {"method": "export.export_to_git"}, ("repomill_pushes_total", ("git", "completed"))),
    ],
)
def test_one_event(kind: str, data: dict[str, Any], series: tuple[str, tuple[str, ...]]) -> None:
    assert count([Event(RUN, kind, "s", data)], step_types={(RUN, "s"): "api_call"})[series] == 1


@pytest.mark.parametrize("kind", ["execution_paused", "execution_resumed", "step_started", "task_resolved", "new_kind"])
def test_what_ends_nothing_counts_nothing(kind: str) -> None:
    assert not count([Event(RUN, kind, "s", {})], step_types={})


def test_a_wait_counts_its_reason_and_a_push() -> None:
    data = {"method": "export.export_to_github", "error": {"code": "rate_limited"}, "duration": 0.2}
    total = count([Event(RUN, "task_waits", "s", data)], step_types={})
    assert total["repomill_waits_total", ("rate_limited",)] == 1
    assert total["repomill_attempts_total", ("export.export_to_github", "again")] == 1
    assert total["repomill_pushes_total", ("github", "again")] == 1


def test_durations_fall_into_every_bucket_above_them() -> None:
    events = [Event(RUN, "task_completed", "s", {"method": "m", "duration": d}) for d in (0.07, 0.4, 4000.0)]
    total = count(events, step_types={})
    bucket = "repomill_attempt_seconds_bucket"
    assert [total[bucket, ("m", end)] for end in ("0.05", "0.1", "0.5", "1800.0", "inf")] == [0, 1, 2, 2, 3]
    assert total["repomill_attempt_seconds_sum", ("m",)] == 4_000_470
