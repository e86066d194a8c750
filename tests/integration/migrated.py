"""Databases with every migration applied, made once and copied: to apply them takes each installation seven seconds.

The SQLite one is kept beside pytest's cache, by what it is made of, and shared by all runs of the tests.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
KEPT = ROOT / ".pytest_cache" / "migrated"
MIGRATE = "import django; django.setup()\nfrom backend.cli.stack.migrate import apply_migrations; apply_migrations()"


def begin_with_migrated(data_dir: Path) -> None:
    """Give an installation that has none yet a migrated SQLite database, without any rows of its own."""
    database = data_dir / "repomill.sqlite3"
    if database.exists():
        return
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(_sqlite(), database)
    database.chmod(0o600)


def migrate(database_url: str) -> None:
    """Apply all migrations to a database, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        _run(folder, DATABASE_URL=database_url)


def _sqlite() -> Path:
    kept = KEPT / f"{_made_of()}.sqlite3"
    if not kept.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=KEPT) as folder:
            _run(folder)
            # Another run may do the same at this moment: either is whole.
            (Path(folder) / "repomill.sqlite3").replace(kept)
    return kept


def _made_of() -> str:
    """Return a digest of the migrations, and of the versions of the packages that bring others."""
    found = hashlib.sha256((ROOT / "requirements.lock").read_bytes())
    for path in sorted((ROOT / "backend").glob("apps/*/migrations/*.py")):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()[:16]


def _run(data_dir: str, **variables: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DATABASE_URL")}
    environment |= {
        "REPOMILL_DATA_DIR": data_dir,
        "DJANGO_SETTINGS_MODULE": "backend.config.settings.base",
        **variables,
    }
    subprocess.run([sys.executable, "-c", MIGRATE], cwd=ROOT, env=environment, check=True, timeout=300)
