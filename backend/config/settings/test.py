"""Settings of the tests: everything below one temporary folder, quick password hashing, no other difference.

REPOMILL_TEST_DATABASE_URL names the server on which the tests make their database; without it they use SQLite. What the
environment says of an installation does not reach them: a shell that is set up for one can run the tests.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile


def _remove(folder: str, *, owner: int) -> None:
    # A forked child comes by here too.
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


for _name in (
    "DATABASE_URL_FILE",
    "REDIS_URL",
    "REDIS_URL_FILE",
    "REPOMILL_BROKER_URL",
    "REPOMILL_BROKER_URL_FILE",
    "REPOMILL_MAIL_URL",
    "REPOMILL_MAIL_URL_FILE",
    "REPOMILL_STORAGE_URL",
    "REPOMILL_STORAGE_URL_FILE",
    "BACKEND_URL",
    "GENERATED_PROJECTS_DIR",
    "REPOMILL_CREDENTIAL_KEYS_FILE",
):
    os.environ.pop(_name, None)
os.environ["DATABASE_URL"] = os.environ.get("REPOMILL_TEST_DATABASE_URL", "")
if "REPOMILL_DATA_DIR" not in os.environ:
    os.environ["REPOMILL_DATA_DIR"] = tempfile.mkdtemp(prefix="repomill-test-")
    atexit.register(_remove, os.environ["REPOMILL_DATA_DIR"], owner=os.getpid())

from backend.config.settings.base import *  # noqa: E402, F403  (the settings module is the interface)

if not os.environ["DATABASE_URL"]:
    # A file, as in an installation: in memory, a reader in another thread makes a writer fail instead of wait.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}  # noqa: F405
    DATABASES["default"]["OPTIONS"]["init_command"] += " PRAGMA synchronous=OFF;"  # noqa: F405

# The tests' git servers listen on this machine.
GIT_INTERNAL_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
# No server runs beside the unit tests, and they ask as often as they like; those of the throttles say otherwise.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
API_RATES = {"user": None, "address": None, "login": None, "dry_run": None}
# Static files are looked for when one is asked for, and not all of them once more for each client of a test.
WHITENOISE_AUTOREFRESH = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
