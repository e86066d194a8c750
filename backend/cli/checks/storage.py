"""The check of the storage that several hosts share: an object is put there, read, and removed. Django is set up."""

from __future__ import annotations

import time
from uuid import uuid4

from backend.cli.checks.base import Check, ok, problem, unavailable
from backend.errors import RepomillError


def check_storage() -> Check:
    """Check that the storage takes, gives back and removes an object."""
    from django.core.files.base import ContentFile

    from backend.apps.projects.services.pack_storage import packs_storage
    from backend.apps.projects.services.storage_answers import storage_answers

    name = "shared storage"
    storage = packs_storage()
    if storage is None:
        return ok(name, "none: all hosts have the data folder")
    word = uuid4().bytes
    began = time.monotonic()
    try:
        with storage_answers():
            key = storage.save(f"doctor/{uuid4()}", ContentFile(word))
            with storage.open(key, "rb") as file:
                same = file.read() == word
            storage.delete(key)
    except RepomillError as error:
        return unavailable(name, error.message, "Check REPOMILL_STORAGE_URL, its keys, and that the bucket is there.")
    except OSError as error:
        return unavailable(name, error.strerror or type(error).__name__, "Check REPOMILL_STORAGE_URL.")
    if not same:
        return problem(name, "gives back other bytes than it was given", "Do not use it.")
    return ok(name, f"takes and gives, {(time.monotonic() - began) * 1000:.0f} ms for both")
