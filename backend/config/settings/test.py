"""Settings of the tests: everything below one temporary folder, quick password hashing, no other difference."""

from __future__ import annotations

import os
import tempfile

if "REPOMILL_DATA_DIR" not in os.environ:
    os.environ["REPOMILL_DATA_DIR"] = tempfile.mkdtemp(prefix="repomill-test-")

from backend.config.settings.base import *  # noqa: F403  (the settings module is the interface)

# The tests' git servers listen on this machine.
GIT_INTERNAL_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
