"""What the tests of exports share: a world of projects, and workers without a broker."""

from __future__ import annotations

import pytest

from backend.apps.authentication.models import User
from tests.unit.bulk.bulk_world import World
from tests.unit.bulk.nightly import nightly_of


@pytest.fixture
def world(db, settings, tmp_path, monkeypatch):
    settings.GENERATED_PROJECTS_DIR = tmp_path / "generated"
    settings.GIT_STORES_DIR = tmp_path / "stores"
    settings.ARCHIVES_DIR = tmp_path / "archives"
    settings.LOCAL_REPOSITORIES_DIR = tmp_path / "repositories"
    world = World(User.objects.create(username="owner", is_superuser=True))
    for module in ("execution.chains", "execution.lost_messages"):
        monkeypatch.setattr(f"backend.apps.workflows.{module}.publish_chain", world.publish)
    monkeypatch.setattr("backend.apps.workflows.execution.lost_messages.fronts", dict)
    # Each item has a message of its own, unless a test is about those that share one.
    monkeypatch.setattr("backend.apps.exports.services.bulk_archives.TOGETHER", 1)
    # A test's own transaction never commits; what would follow the commit follows at once.
    monkeypatch.setattr("django.db.transaction.on_commit", lambda work: work())
    return world


@pytest.fixture
def nightly(world):
    return nightly_of(world.user)
