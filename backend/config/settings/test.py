"""Settings of the tests: everything below one temporary folder, quick password hashing, no other difference."""

from __future__ import annotations

import os
import tempfile

if "REPOMILL_DATA_DIR" not in os.environ:
    os.environ["REPOMILL_DATA_DIR"] = tempfile.mkdtemp(prefix="repomill-test-")

from backend.config.settings.base import *  # noqa: F403  (the settings module is the interface)

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
