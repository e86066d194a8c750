"""Brings the database up to date and makes the first user; both do nothing when there is nothing to do.

Django must be set up. The connections are closed afterwards: the processes of the stack are forked from here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from backend.cli.errors import MigrationHeldUp
from backend.cli.stack.settings import OPERATOR, OPERATOR_PASSWORD
from backend.config.environment import load
from backend.config.secret_files import read_or_create
from backend.errors import ConfigurationError

LOCK_NOT_AVAILABLE = "55P03"

if TYPE_CHECKING:
    from backend.apps.authentication.models import User


def prepare_database() -> int:
    """Apply the missing migrations, make the operator's account, and return how many migrations that were.

    Raises ConfigurationError when the database cannot be reached, MigrationHeldUp when a migration waited in vain for a
    table that somebody uses.
    """
    from django.conf import settings
    from django.db import OperationalError, connections

    # Whitenoise warns when it is missing, though nothing is put there: static files come from the packages.
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True, mode=0o700)

    try:
        applied = apply_migrations()
        ensure_operator()
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) == LOCK_NOT_AVAILABLE:
            hint = "Nothing is half done. Run `repomill migrate` again, at a quieter time if need be."
            raise MigrationHeldUp(hint=hint) from error
        raise ConfigurationError(
            f"The database cannot be used: {str(error).strip().splitlines()[0]}",
            field="DATABASE_URL",
            hint="Check DATABASE_URL, and that the server runs and lets this user in.",
        ) from error
    else:
        return applied
    finally:
        connections.close_all()


def pending_migrations() -> list[str]:
    """Return the names of the migrations that the database has not seen, in order."""
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def apply_migrations() -> int:
    """Apply what is missing and return how many migrations that were."""
    from django.core.management import call_command
    from django.db import connection

    from backend.unlocked_indexes import LOCK_PATIENCE

    pending = pending_migrations()
    if pending:
        if connection.vendor == "postgresql":
            # Who waits for a table's lock has everybody else wait behind, for however long one transaction takes.
            with connection.cursor() as cursor:
                cursor.execute(f"SET lock_timeout = '{LOCK_PATIENCE}s'")
        call_command("migrate", verbosity=0, interactive=False)
    return len(pending)


def ensure_operator() -> User:
    """Return the operator, made on the first start with the password of the secret file.

    An operator who changed the password elsewhere keeps it. One who lost it deletes the file: the next start writes a
    new one and sets it.
    """
    from backend.apps.authentication.models import User

    secrets_dir = load().secrets_dir
    new_password = not (secrets_dir / OPERATOR_PASSWORD).exists()
    password = read_or_create(secrets_dir, OPERATOR_PASSWORD)
    user = User.objects.filter(username=OPERATOR).first()
    if user is None:
        return User.objects.create_superuser(OPERATOR, password=password)
    if new_password:
        user.set_password(password)
        user.save(update_fields=["password"])
    return user
