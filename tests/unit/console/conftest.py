"""A browser for each kind of reader, and runs for them to look at."""

from __future__ import annotations

import time

import pytest
from django.test import Client

from backend.apps.authentication.models import User
from backend.apps.projects.models import Project
from backend.apps.projects.services.planning import create_project
from backend.apps.workflows.models import WorkflowExecution
from backend.errors import RemoteRefused
from tests.browser import world
from tests.browser.people import PASSWORD


@pytest.fixture
def operator(db: None) -> User:
    return User.objects.create_superuser("operator", password=PASSWORD)


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada", password=PASSWORD)


@pytest.fixture
def stranger(db: None) -> User:
    return User.objects.create_user("bob", password=PASSWORD)


@pytest.fixture
def shop(ada: User) -> Project:
    return create_project(user=ada, name="Shop", slug="shop")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let played services answer at once."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


@pytest.fixture
def completed(ada: User, shop: Project, quick: None) -> WorkflowExecution:
    return _played(ada, shop, world.answers)


@pytest.fixture
def failed(ada: User, shop: Project, quick: None) -> WorkflowExecution:
    return _played(ada, shop, world.failing("agents.call", RemoteRefused("It said no.", hint="Ask it again.")))


def _played(user: User, project: Project, service: world.Service) -> WorkflowExecution:
    with world.player() as playing:
        run = world.begin(user, world.PUBLISH, {"name": "shop"}, project_id=project.pk, project_name="shop")
        playing.play(service)
    run.refresh_from_db()
    return run


def browser(user: User) -> Client:
    """Return a client that has logged in."""
    client = Client()
    client.force_login(user)
    return client
