"""What a task's body is given."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from backend.apps.workflows.execution.claim import ClaimedTask
from backend.errors import InvalidInput, RateLimited, TemporaryFailure
from workers.call import TaskCall


@pytest.mark.parametrize(
    ("error", "retries", "last"),
    [
        (InvalidInput(), 0, True),
        (TemporaryFailure(), 0, False),
        (TemporaryFailure(), 2, False),
        (TemporaryFailure(), 3, True),
        (RateLimited(retry_after=60), 3, False),
    ],
)
def test_an_attempt_knows_whether_it_is_the_last(error, retries, last):
    # Of a claimed task it looks at these two alone.
    claimed = cast(ClaimedTask, SimpleNamespace(retries=retries, max_retries=3))
    assert TaskCall(claimed).gives_up(error) is last
