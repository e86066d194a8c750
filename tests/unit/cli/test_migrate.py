"""The database's first steps: up to date, and with an operator."""

from dataclasses import replace
from pathlib import Path

import pytest
from django.db import OperationalError
from psycopg.errors import LockNotAvailable

from backend.apps.authentication.models import User
from backend.cli.errors import MigrationHeldUp
from backend.cli.stack import migrate
from backend.config.environment import load
from backend.errors import ConfigurationError


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The secrets folder of an installation that has none yet."""
    monkeypatch.setattr(migrate, "load", lambda: replace(load(), data_dir=tmp_path))
    return tmp_path / "secrets"


@pytest.mark.django_db
def test_nothing_is_pending_and_nothing_is_applied() -> None:
    assert migrate.pending_migrations() == []
    assert migrate.apply_migrations() == 0


@pytest.mark.django_db
def test_the_operator_is_made_once_with_the_password_of_the_file(secrets: Path) -> None:
    user = migrate.ensure_operator()
    assert user.is_superuser
    assert user.check_password((secrets / "operator_password").read_text())
    assert migrate.ensure_operator() == user
    assert User.objects.count() == 1


@pytest.mark.django_db
def test_a_password_that_was_changed_elsewhere_stays(secrets: Path) -> None:
    user = migrate.ensure_operator()
    user.set_password("another one")
    user.save()
    assert migrate.ensure_operator().check_password("another one")


@pytest.mark.django_db
def test_a_lost_password_is_set_anew_when_its_file_is_deleted(secrets: Path) -> None:
    user = migrate.ensure_operator()
    (secrets / "operator_password").unlink()
    again = migrate.ensure_operator()
    assert again == user
    assert again.check_password((secrets / "operator_password").read_text())
    user.refresh_from_db()
    assert user.check_password((secrets / "operator_password").read_text())


def test_a_database_that_cannot_be_reached_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise OperationalError("connection refused\nIs the server running?")

    monkeypatch.setattr(migrate, "apply_migrations", refuse)
    with pytest.raises(ConfigurationError, match=r"cannot be used: connection refused$") as caught:
        migrate.prepare_database()
    assert caught.value.place["field"] == "DATABASE_URL"


def test_a_migration_does_not_wait_for_long_with_everybody_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def wait_in_vain() -> int:
        raise OperationalError("canceling statement due to lock timeout") from LockNotAvailable()

    monkeypatch.setattr(migrate, "apply_migrations", wait_in_vain)
    with pytest.raises(MigrationHeldUp, match="locked") as caught:
        migrate.prepare_database()
    assert "again" in str(caught.value.hint)
