"""Whether to try again, and when."""

import pytest

from backend.apps.projects.errors import WorkspaceBusy
from backend.apps.workflows.decisions.retry import LONGEST_ASKED, Again, GiveUp, decide_retry
from backend.errors import InvalidInput, RateLimited, RemoteRefused, RemoteUnreachable


@pytest.mark.parametrize(
    ("retries", "pause"), [(0, 2.0), (1, 4.0), (2, 8.0), (5, 64.0), (7, 256.0), (9, 600.0), (1000, 600.0)]
)
def test_pauses_grow_to_a_limit(retries, pause):
    decision = decide_retry(RemoteUnreachable(), retries=retries, max_retries=10_000, jitter=0.0)
    assert decision == Again(pause, parked=pause > 300)


def test_jitter_lengthens_by_up_to_a_quarter():
    decision = decide_retry(RemoteUnreachable(), retries=0, max_retries=3, jitter=1.0)
    assert decision == Again(2.5, parked=False)


@pytest.mark.parametrize("error", [RemoteRefused(), InvalidInput()])
def test_what_says_it_would_not_help_is_not_repeated(error):
    assert isinstance(decide_retry(error, retries=0, max_retries=10, jitter=0), GiveUp)


def test_retries_run_out():
    decision = decide_retry(RemoteUnreachable(), retries=3, max_retries=3, jitter=0)
    assert isinstance(decision, GiveUp)
    assert "3" in decision.why


def test_the_other_side_says_how_long():
    decision = decide_retry(RemoteUnreachable(retry_after=30), retries=5, max_retries=10, jitter=0.5)
    assert decision == Again(30.5, parked=False)


def test_a_rate_limit_uses_up_no_retry_and_a_long_wait_is_parked():
    decision = decide_retry(RateLimited(retry_after=3600), retries=10, max_retries=10, jitter=0)
    assert decision == Again(3600, parked=True, counted=False)


def test_a_rate_limit_without_a_time_counts():
    assert isinstance(decide_retry(RateLimited(), retries=3, max_retries=3, jitter=0), GiveUp)


@pytest.mark.parametrize(("waited", "pause"), [(0, 2.0), (1, 2.0), (3, 8.0), (5, 30.0), (5000, 30.0)])
def test_a_wait_for_ones_turn_uses_up_no_retry_and_asks_ever_less_often(waited, pause):
    decision = decide_retry(WorkspaceBusy(retry_after=2), retries=10, max_retries=10, jitter=0, waited=waited)
    assert decision == Again(pause, parked=False, counted=False)


def test_a_file_that_changes_while_it_is_read_is_no_turn_to_wait_for():
    assert isinstance(decide_retry(WorkspaceBusy(), retries=3, max_retries=3, jitter=0, waited=9), GiveUp)


@pytest.mark.parametrize("asked", [1.8e12, float("inf")])
def test_what_no_date_can_hold_is_asked_again_before(asked):
    decision = decide_retry(RateLimited(retry_after=asked), retries=0, max_retries=3, jitter=0)
    assert decision == Again(LONGEST_ASKED, parked=True, counted=False)
