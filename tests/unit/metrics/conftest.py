"""A run that can be moved on by hand, and workers and a broker that are not asked."""

from __future__ import annotations

import pytest

from backend.apps.authentication.models import User
from backend.apps.workflows.definitions.check import read_definition
from backend.apps.workflows.models import WorkflowExecution
from backend.apps.workflows.services import save_definition, start_execution
from backend.metrics import present

DEFINITION = """
name: ask
steps:
  - {id: ask, type: api_call, config: {method: GET, endpoint: "/projects/"}}
  - {id: write, type: file_generation, config: {file_path: a.md, content: unseen-word}}
"""


@pytest.fixture(autouse=True)
def without_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker and the workers do not answer; what the database says is there all the same."""
    monkeypatch.setattr(present, "of_broker", lambda: {("repomill_broker_up", ()): 0.0})
    monkeypatch.setattr(present, "of_workers", dict)


@pytest.fixture
def execution(db: None) -> WorkflowExecution:
    """A run whose first task waits."""
    return start_run(User.objects.create_user("ada"))


def start_run(user: User) -> WorkflowExecution:
    """Start a run."""
    return start_execution(version=save_definition(read_definition(DEFINITION)), inputs={}, user=user)
